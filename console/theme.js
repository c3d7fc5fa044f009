// Which of the two themes is shown: the chosen one, else what the system wants. Before anything is drawn, so that none flashes in.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const chosen = localStorage.getItem("millrace.theme");
    const theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
  };
  dark.addEventListener("change", show);
  addEventListener("themechosen", show);
  show();
})();
