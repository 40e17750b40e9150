// Draws every chart of #charts into the figure of its id, and opens what is folded before printing.
(function () {
  "use strict";
  var specs = JSON.parse(document.getElementById("charts").textContent);
  var config = {displayModeBar: false, responsive: true, showTips: false};
  Object.keys(specs).forEach(function (id) {
    var place = document.getElementById(id);
    Plotly.newPlot(place, specs[id].data, specs[id].layout, config).then(function () {
      place.setAttribute("data-drawn", "true");
    });
  });
  // The width of a sheet is not known here: a chart prints as it stands, scaled by its view box to its column.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
    document.querySelectorAll(".main-svg").forEach(function (svg) {
      svg.setAttribute("viewBox", "0 0 " + svg.getAttribute("width") + " " + svg.getAttribute("height"));
    });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll(".main-svg").forEach(function (svg) { svg.removeAttribute("viewBox"); });
  });
})();
