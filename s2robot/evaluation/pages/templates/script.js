"use strict";
const make = (tag, attributes = {}, text = "") => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
};

// Tables: a click on a column's name sorts by it, numbers as numbers; a field filters the rows.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.key ?? cell.textContent.trim();
    const number = parseFloat(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    head.setAttribute("scope", "col");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down > 0 ? "ascending" : "descending");
      const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : down * order(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const filter = document.querySelector(`input.filter[data-for="${table.id}"]`);
  filter?.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const row of body.rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  });
}

// Videos: controls below the picture, so that nothing of it is covered.
for (const video of document.querySelectorAll(".film video")) {
  video.removeAttribute("controls");
  const name = video.getAttribute("aria-label");
  const bar = make("div", { class: "bar", role: "group", "aria-label": `controls of ${name}` });
  const play = make("button", { type: "button", "aria-label": `play ${name}` }, "▶");
  const seek = make("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "position" });
  const time = make("output", {}, "");
  const speed = make("select", { "aria-label": "speed" });
  for (const rate of [0.25, 0.5, 1, 2, 4]) speed.append(make("option", rate === 1 ? { value: rate, selected: "" } : { value: rate }, `${rate}×`));
  bar.append(play, seek, time, speed);
  video.parentElement.after(bar);
  const show = () => {
    const whole = video.duration || 0;
    if (whole) seek.value = (1000 * video.currentTime) / whole;
    time.textContent = whole ? `${video.currentTime.toFixed(1)} / ${whole.toFixed(1)} s` : "";
    play.textContent = video.paused ? "▶" : "❚❚";
    play.setAttribute("aria-label", `${video.paused ? "play" : "pause"} ${name}`);
  };
  const toggle = () => (video.paused ? video.play() : video.pause());
  play.addEventListener("click", toggle);
  video.addEventListener("click", toggle);
  seek.addEventListener("input", () => { if (video.duration) video.currentTime = (seek.value / 1000) * video.duration; });
  speed.addEventListener("change", () => { video.playbackRate = Number(speed.value); });
  for (const event of ["timeupdate", "loadedmetadata", "play", "pause", "ended", "seeked"]) video.addEventListener(event, show);
  show();
  // What belongs to a step of the episode follows the video, whose last second holds the end.
  const film = video.closest(".film"), steps = Number(film.dataset.steps);
  const stepNow = () => Math.max(0, Math.min(steps, Math.floor((video.currentTime / (video.duration - 1)) * (steps + 1)))) || 0;
  video.addEventListener("timeupdate", () => {
    if (film.querySelector("details[open]")) for (const chart of film.querySelectorAll(".chart")) chart.dispatchEvent(new CustomEvent("place", { detail: stepNow() }));
  });
  if (film.dataset.looks) addLooks(film, video, bar, stepNow);
}

// What the policy looked at: its keypoints, or the cells that it weighs, drawn over the video when it is wanted.
function addLooks(film, video, bar, stepNow) {
  const { size, views, looks } = JSON.parse(film.dataset.looks);
  const label = make("label"), box = make("input", { type: "checkbox" });
  label.append(box, "where it looks");
  bar.append(label);
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const overlay = svg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, "aria-hidden": "true" });
  video.after(overlay);
  const draw = () => {
    overlay.replaceChildren();
    const look = looks.filter((one) => one.step <= stepNow()).at(-1);
    if (!box.checked || !look) return;
    for (const [name, { map, keypoints }] of Object.entries(look.views)) {
      const [left, top, width, height] = views[name] ?? [0, 0, 0, 0];
      const h = height / map.length, w = width / map[0].length;
      if (!keypoints.length) map.forEach((row, i) => row.forEach((level, j) => {
        if (level > 4) overlay.append(svg("rect", { x: left + j * w, y: top + i * h, width: w, height: h, "fill-opacity": (0.75 * level) / 99 }));
      }));
      for (const [x, y, peak] of keypoints) overlay.append(svg("circle", { cx: left + x * width, cy: top + y * height, r: size[0] / 130, opacity: Math.min(1, 0.25 + peak) }));
    }
  };
  box.addEventListener("change", draw);
  for (const event of ["timeupdate", "seeked"]) video.addEventListener(event, draw);
}

// Charts: the values at the pointer, or at a place that the arrow keys move, read from the drawn paths.
for (const chart of document.querySelectorAll(".chart")) {
  const plot = chart.querySelector(".plot");
  const axis = (text) => {
    const [low, high, log] = text.split(" ").map(Number);
    return (share) => (log ? 10 ** (Math.log10(low) + share * Math.log10(high / low)) : low + share * (high - low));
  };
  const atX = axis(chart.dataset.x), atY = axis(chart.dataset.y);
  const lines = [...plot.querySelectorAll("path[data-name]")].map((path) => ({
    name: path.dataset.name,
    points: path.getAttribute("d").slice(1).replace("h0", "").split(/[ML]/).map((pair) => pair.split(" ").map((one) => Number(one) / 1000)),
  }));
  if (!lines.length) continue;
  const places = [...new Set(lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  const short = (value) => (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4))));
  let cursor = null, tip = null, chosen = -1;
  const hide = () => { cursor?.remove(); tip?.remove(); cursor = tip = null; };
  const show = (share, quiet = false) => {
    hide();
    const nearest = (points) => points.reduce((a, b) => (Math.abs(b[0] - share) < Math.abs(a[0] - share) ? b : a));
    const x = places.reduce((a, b) => (Math.abs(b - share) < Math.abs(a - share) ? b : a));
    cursor = make("div", { class: "cursor" });
    tip = make("div", { class: x > 0.55 ? "tip left" : "tip", role: "status" });
    cursor.style.left = `${100 * x}%`;
    plot.append(cursor);
    chosen = places.indexOf(x);
    if (quiet) return;
    tip.style.left = `calc(${100 * x}% ${x > 0.55 ? "- 8px" : "+ 8px"})`;
    tip.append(make("div", {}, `${chart.dataset.title} ${short(atX(x))}`));
    for (const line of lines) {
      const [, y] = nearest(line.points);
      tip.append(make("div", {}, `${line.name ? `${line.name}: ` : ""}${short(atY(1 - y))}`));
    }
    plot.append(tip);
  };
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show((event.clientX - box.left) / box.width);
  });
  plot.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("place", (event) => {
    const [low, high] = chart.dataset.x.split(" ").map(Number);
    show((event.detail - low) / (high - low), true);
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(places[Math.min(places.length - 1, Math.max(0, chosen + step))]);
  });
}
