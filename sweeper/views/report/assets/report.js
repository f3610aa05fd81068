"use strict";
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const notice = document.getElementById("notice");

  function say(sentence) {
    notice.textContent = sentence;
    notice.hidden = false;
    for (const name of Object.keys(charts)) {
      document.getElementById(name).style.height = "auto";
    }
  }

  async function unpack() {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (each) => each.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function axis(own) {
    const grid = colour("--grid");
    return Object.assign(
      { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true },
      own || {},
    );
  }

  function layout(chart, element) {
    const narrow = element.clientWidth < 600;
    const own = chart.layout;
    const labels = (own.annotations || [])
      .filter((each) => each.keep || !narrow)
      .map((each) => Object.assign({}, each, {
        arrowcolor: colour("--quiet"),
        bgcolor: colour("--page"),
        borderpad: 1,
        keep: undefined,
        font: Object.assign({ color: colour("--ink") }, each.font),
      }));
    return Object.assign(
      { showlegend: chart.traces.length > 1, hovermode: "closest", dragmode: narrow ? false : "zoom" },
      own,
      {
        height: chart.height,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: colour("--ink"), size: 12, family: "system-ui, sans-serif" },
        margin: { l: 48, r: 12, t: 28, b: 40 },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
        hoverlabel: { align: "left", font: { size: 12 } },
        xaxis: axis(own.xaxis),
        yaxis: axis(own.yaxis),
        annotations: labels,
      },
    );
  }

  function draw(name) {
    const element = document.getElementById(name);
    Plotly.react(element, charts[name].traces, layout(charts[name], element), {
      responsive: true,
      displayModeBar: false,
    });
  }

  function drawAll() {
    const drawn = new Set();
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting && !drawn.has(entry.target.id)) {
          drawn.add(entry.target.id);
          draw(entry.target.id);
        }
      }
    }, { rootMargin: "600px" });
    Object.keys(charts).forEach((name) => watcher.observe(document.getElementById(name)));
    const again = () => drawn.forEach(draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    addEventListener("beforeprint", () => Object.keys(charts).forEach(draw));
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const value = (row, index) => {
      const text = row.cells[index].textContent;
      const number = parseFloat(text.replace(/[$,<]/g, ""));
      return /^[<$]?-?[\d.,]+(e[-+]?\d+)?$/i.test(text.trim()) ? number : text;
    };
    const order = (a, b) => {
      if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
      return typeof a === "number" ? -1 : 1;
    };
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      head.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows];
        rows.sort((a, b) => (up ? 1 : -1) * order(value(a, index), value(b, index)));
        body.append(...rows);
      });
    });
  }

  document.querySelectorAll("table.trials").forEach(sortable);
  if (typeof DecompressionStream === "undefined") {
    say("The charts need a browser from 2023 or later; the tables are complete.");
    return;
  }
  unpack().then(drawAll).catch((error) => {
    say("The charts could not be drawn (" + error.message + "); the tables are complete.");
  });
})();
