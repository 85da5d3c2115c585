ROWS = {
    "machines.VirtualMachine": lambda make, owner: make.vm(owner),
    "images.Template": lambda make, owner: make.template(owner),
    "offerings.ServiceOffering": lambda make, owner: make.offering(),
}
