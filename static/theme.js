// Before the first paint: the theme that was chosen, or that of the system; and that there is a script at all.
(function () {
  var root = document.documentElement;
  var wanted = root.getAttribute("data-theme-chosen");
  var dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.setAttribute("data-bs-theme", dark ? "dark" : "light");
  root.classList.add("script");
})();
