ROWS = {
    "images.Template": lambda make, owner: make.template(owner),
    "offerings.ServiceOffering": lambda make, owner: make.offering(),
}
