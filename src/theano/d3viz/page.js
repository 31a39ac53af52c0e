"use strict";
// Draws the views of #data: one at a time, moved by dragging and zoomed by the wheel.
(function () {
  const views = JSON.parse(document.getElementById("data").textContent);
  const svg = document.getElementById("view");
  const tip = document.getElementById("tip");
  const HEIGHT = 28;
  let trail = [0]; // numbers of the views that are open, the last one is shown
  let boxes, camera, layer, drawnBoxes, drawnArrows;

  function make(tag, attributes, parent) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    if (parent) parent.appendChild(element);
    return element;
  }

  function current() {
    return views[trail[trail.length - 1]];
  }

  function paint(box) {
    if (box.heat === undefined) return box.color;
    return "hsl(0, 100%, " + Math.round(97 - 45 * box.heat) + "%)";
  }

  function open() {
    const view = current();
    boxes = view.boxes.map((box) => Object.assign({}, box));
    svg.textContent = "";
    const head = make("marker", {
      id: "head", viewBox: "0 0 8 8", refX: 8, refY: 4,
      markerWidth: 8, markerHeight: 8, orient: "auto",
    }, make("defs", {}, svg));
    make("path", { d: "M0 0L8 4L0 8z" }, head);
    layer = make("g", {}, svg);
    drawnArrows = view.arrows.map((arrow) => {
      const group = make("g", {}, layer);
      make("path", { fill: "none", stroke: arrow[3], "marker-end": "url(#head)" }, group);
      make("text", { class: "edge" }, group).textContent = arrow[2];
      return group;
    });
    drawnBoxes = boxes.map(drawBox);
    place();
    showPath();
    fit();
    search();
  }

  function drawBox(box, number) {
    const group = make("g", { class: "box" }, layer);
    const look = {
      fill: paint(box), stroke: "black", "stroke-width": box.inside === undefined ? 1 : 2.5,
    };
    if (box.shape === "ellipse") {
      make("ellipse", Object.assign({ rx: box.width / 2, ry: HEIGHT / 2 }, look), group);
    } else {
      make("rect", Object.assign({
        x: -box.width / 2, y: -HEIGHT / 2, width: box.width, height: HEIGHT,
      }, look), group);
    }
    make("text", { "text-anchor": "middle", y: 4 }, group).textContent = box.label;
    group.addEventListener("pointerdown", (event) => startDrag(event, number));
    group.addEventListener("pointermove", (event) => showTip(event, box));
    group.addEventListener("pointerleave", () => { tip.style.display = "none"; });
    group.addEventListener("dblclick", () => {
      if (box.inside === undefined) return;
      trail.push(box.inside);
      tip.style.display = "none";
      open();
    });
    return group;
  }

  function place() {
    boxes.forEach((box, i) => {
      drawnBoxes[i].setAttribute("transform", "translate(" + box.x + "," + box.y + ")");
    });
    current().arrows.forEach((arrow, i) => {
      const a = boxes[arrow[0]], b = boxes[arrow[1]];
      const y0 = a.y + HEIGHT / 2, y1 = b.y - HEIGHT / 2, middle = (y0 + y1) / 2;
      const [path, text] = drawnArrows[i].children;
      path.setAttribute("d", "M" + a.x + " " + y0 + "C" + a.x + " " + middle + " " +
        b.x + " " + middle + " " + b.x + " " + y1);
      text.setAttribute("x", (a.x + b.x) / 2 + 4);
      text.setAttribute("y", middle + 4);
    });
  }

  function move() {
    layer.setAttribute("transform",
      "translate(" + camera.x + "," + camera.y + ") scale(" + camera.k + ")");
  }

  function fit() {
    const area = svg.getBoundingClientRect();
    const left = Math.min(...boxes.map((b) => b.x - b.width / 2));
    const right = Math.max(...boxes.map((b) => b.x + b.width / 2));
    const top = Math.min(...boxes.map((b) => b.y)) - HEIGHT;
    const bottom = Math.max(...boxes.map((b) => b.y)) + HEIGHT;
    const k = Math.min(1.5, area.width / (right - left + 40), area.height / (bottom - top + 40));
    camera = {
      k: k, x: (area.width - k * (left + right)) / 2, y: (area.height - k * (top + bottom)) / 2,
    };
    move();
  }

  function startDrag(event, number) {
    event.preventDefault();
    event.stopPropagation();
    let last = [event.clientX, event.clientY];
    function onMove(e) {
      const dx = e.clientX - last[0], dy = e.clientY - last[1];
      last = [e.clientX, e.clientY];
      if (number === undefined) {
        camera.x += dx;
        camera.y += dy;
        move();
      } else {
        boxes[number].x += dx / camera.k;
        boxes[number].y += dy / camera.k;
        place();
      }
    }
    function onUp() {
      window.removeEventListener("pointermove", onMove);
      window.removeEventListener("pointerup", onUp);
    }
    window.addEventListener("pointermove", onMove);
    window.addEventListener("pointerup", onUp);
  }

  function zoom(event) {
    event.preventDefault();
    const area = svg.getBoundingClientRect();
    const px = event.clientX - area.left, py = event.clientY - area.top;
    const factor = Math.exp(-event.deltaY * 0.0015);
    const k = Math.max(0.02, Math.min(8, camera.k * factor));
    camera.x = px - (px - camera.x) * (k / camera.k);
    camera.y = py - (py - camera.y) * (k / camera.k);
    camera.k = k;
    move();
  }

  function showTip(event, box) {
    tip.textContent = box.details +
      (box.inside === undefined ? "" : "\n(double click opens the graph inside)");
    tip.style.display = "block";
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - 320) + "px";
    tip.style.top = event.clientY + 14 + "px";
  }

  function showPath() {
    const path = document.getElementById("path");
    path.textContent = "";
    trail.forEach((number, depth) => {
      const button = document.createElement("button");
      button.textContent = views[number].title;
      button.disabled = depth === trail.length - 1;
      button.onclick = () => { trail = trail.slice(0, depth + 1); open(); };
      path.appendChild(button);
    });
  }

  function search() {
    const wanted = document.getElementById("find").value.toLowerCase();
    boxes.forEach((box, i) => {
      const hit = (box.label + "\n" + box.details).toLowerCase().includes(wanted);
      drawnBoxes[i].classList.toggle("faded", wanted !== "" && !hit);
    });
  }

  svg.addEventListener("pointerdown", (event) => startDrag(event));
  svg.addEventListener("wheel", zoom, { passive: false });
  document.getElementById("fit").onclick = fit;
  document.getElementById("reset").onclick = open;
  document.getElementById("find").oninput = search;
  open();
})();
