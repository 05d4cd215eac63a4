// Shows one region, draws strokes at once, and tells them to the session; what they leave comes back.

const TOOLS = [
  ["brush", "Brush", "C"],
  ["erase", "Erase", "E"],
  ["polygon", "Polygon", "G"],
  ["fill", "Smart fill", "M"],
];
const WAYS = [
  ["done", "Done", "D"],
  ["skip", "Skip", "S"],
  ["cant_tell", "Can't tell", "T"],
  ["later", "Later", "L"],
  ["back", "Back", "B"],
  ["next", "Next", "N"],
];
const MOST_WIDTH = 860;
const MOST_HEIGHT = 560;
const TOUCH_EVERY_MS = 2000;

function made(tag, parent, text, className) {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  if (className) node.className = className;
  parent.append(node);
  return node;
}

function button(parent, text, hint, onClick) {
  const node = made("button", parent, text);
  node.type = "button";
  node.title = hint;
  node.addEventListener("click", onClick);
  return node;
}

function bytesOf(view) {
  if (!view) return new Uint8Array();
  return view.buffer ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
}

async function bitmapOf(view) {
  const bytes = bytesOf(view);
  return bytes.length ? createImageBitmap(new Blob([bytes], { type: "image/png" })) : null;
}

function rgbOf(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}

function sheet(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

class Annotator {
  constructor(model, el) {
    this.model = model;
    this.tool = "brush";
    this.value = null;
    this.radius = 8;
    this.zoom = 1;
    this.shows = { labels: true, heat: false, predicted: true };
    this.stroke = null; // points of the stroke under the pointer, (y, x) in the region
    this.corners = []; // of the polygon that is being drawn
    this.pointer = null;
    this.touchedAt = 0;
    this.root = made("div", el, "", "nas-annotator");
    this.root.tabIndex = 0;
    this.root.dataset.lmSuppressShortcuts = "true"; // keys are ours while we have the focus
    this.build();
    this.listen();
  }

  build() {
    const top = made("div", this.root, "", "nas-bar");
    this.classBar = made("span", top, "", "nas-bar");
    this.classBar.style.marginBottom = 0;
    made("span", top, "", "nas-gap");
    this.tools = {};
    for (const [name, text, key] of TOOLS) {
      this.tools[name] = button(top, text, `${text} (Shift+${key})`, () => this.choose(name));
    }
    const size = made("label", top, "Size");
    this.size = made("input", size);
    Object.assign(this.size, { type: "range", min: 1, max: 60, value: this.radius });
    this.size.addEventListener("input", () => {
      this.radius = Number(this.size.value);
      this.draw();
    });
    const second = made("div", this.root, "", "nas-bar");
    this.undo = button(second, "Undo", "Undo (Ctrl+Z)", () => this.send({ kind: "undo" }));
    this.redo = button(second, "Redo", "Redo (Ctrl+Shift+Z)", () => this.send({ kind: "redo" }));
    this.rest = button(second, "Rest", "Give the chosen class to all that is not painted", () =>
      this.send({ kind: "rest", value: this.value })
    );
    this.draft = button(second, "Take the prediction", "As a draft to correct (Shift+A)", () =>
      this.send({ kind: "draft" })
    );
    this.reopen = button(second, "Reopen", "Reopen this region (Shift+R)", () => this.send({ kind: "reopen" }));
    made("span", second, "", "nas-gap");
    this.toggles = {};
    for (const [name, text, key] of [
      ["labels", "Labels", "I"],
      ["predicted", "Prediction", "P"],
      ["heat", "Uncertainty", "U"],
    ]) {
      this.toggles[name] = button(second, text, `Show or hide (Shift+${key})`, () => this.toggle(name));
    }
    button(second, "\u2212", "Zoom out", () => this.zoomBy(0.8)).setAttribute("aria-label", "Zoom out");
    button(second, "+", "Zoom in", () => this.zoomBy(1.25)).setAttribute("aria-label", "Zoom in");
    this.view = made("div", this.root, "", "nas-view");
    this.canvas = made("canvas", this.view);
    this.canvas.setAttribute("role", "img");
    this.words = made("div", this.root, "", "nas-words");
    this.question = made("div", this.root, "", "nas-question");
    const last = made("div", this.root, "", "nas-bar");
    last.style.marginTop = "6px";
    this.ways = {};
    for (const [name, text, key] of WAYS) {
      this.ways[name] = button(last, text, `${text} (Shift+${key})`, () => this.send({ kind: name }));
    }
    this.ways.done.className = "nas-main";
  }

  listen() {
    this.onFacts = () => this.showFacts();
    this.onPaint = () => this.showPaint();
    this.onPicture = async () => {
      this.picture = await bitmapOf(this.model.get("picture"));
      this.corners = [];
      this.fit();
    };
    this.onHeat = async () => {
      this.heat = await bitmapOf(this.model.get("heat"));
      this.draw();
    };
    this.onPredicted = () => {
      this.outline = this.outlineOf(bytesOf(this.model.get("predicted")));
      this.veil = this.veilOf(bytesOf(this.model.get("inside")));
      this.draw();
    };
    this.model.on("change:facts", this.onFacts);
    this.model.on("change:paint", this.onPaint);
    this.model.on("change:picture", this.onPicture);
    this.model.on("change:heat", this.onHeat);
    this.model.on("change:predicted", this.onPredicted);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => this.up());
    this.canvas.addEventListener("pointercancel", () => this.up());
    this.canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.draw();
    });
    this.canvas.addEventListener("dblclick", () => this.closePolygon());
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.showFacts();
    this.onPicture();
    this.onHeat();
  }

  stop() {
    for (const [name, heard] of [
      ["facts", this.onFacts],
      ["paint", this.onPaint],
      ["picture", this.onPicture],
      ["heat", this.onHeat],
      ["predicted", this.onPredicted],
    ]) {
      this.model.off(`change:${name}`, heard);
    }
  }

  get facts() {
    return this.model.get("facts");
  }

  get canPaint() {
    return Boolean(this.facts.region) && !this.facts.readOnly && !this.facts.finished;
  }

  send(content) {
    this.model.send(content);
  }

  // --- what the session says ---------------------------------------------------------------------

  showFacts() {
    const facts = this.facts;
    const classes = facts.classes || [];
    if (this.value === null || this.value >= classes.length) this.value = classes.length - 1;
    const asked = JSON.stringify(classes);
    if (asked !== this.shownClasses) this.buildClasses(classes);
    this.shownClasses = asked; // a button that were made anew under the mouse would miss its click
    [...this.classBar.children].forEach((node, index) =>
      node.setAttribute("aria-pressed", String(index === this.value && this.tool !== "erase"))
    );
    for (const [name, node] of Object.entries(this.tools)) {
      node.setAttribute("aria-pressed", String(name === this.tool));
      node.disabled = !this.canPaint;
    }
    for (const [name, node] of Object.entries(this.toggles)) {
      node.setAttribute("aria-pressed", String(this.shows[name]));
    }
    const predicted = bytesOf(this.model.get("predicted")).length > 0;
    this.toggles.predicted.disabled = this.toggles.heat.disabled = !predicted;
    this.draft.disabled = !predicted || !this.canPaint;
    this.undo.disabled = !this.canPaint || !facts.canUndo;
    this.redo.disabled = !this.canPaint || !facts.canRedo;
    this.rest.disabled = !this.canPaint;
    this.reopen.hidden = !facts.finished || facts.readOnly;
    for (const name of ["done", "skip", "cant_tell", "later"]) this.ways[name].disabled = !this.canPaint;
    this.showWords(facts);
    this.showQuestion(facts);
    if (facts.region !== this.shownRegion) {
      this.shownRegion = facts.region;
      this.stroke = null;
      this.fit();
    }
    this.showPaint();
    this.onPredicted();
  }

  buildClasses(classes) {
    this.classBar.replaceChildren();
    classes.forEach(({ name, colour }, index) => {
      const one = button(this.classBar, "", `${name} (Alt+${index + 1})`, () => this.chooseClass(index));
      made("span", one, "", "nas-swatch").style.background = colour;
      one.append(name);
    });
  }

  showWords(facts) {
    this.words.replaceChildren();
    if (facts.message) {
      made("span", this.words, facts.message, "nas-message").setAttribute("role", "alert");
      return;
    }
    const words = facts.region
      ? [
          `${facts.image}: ${facts.state}`,
          facts.reason,
          `${facts.answered} answered, ${facts.waiting} waiting`,
          facts.readOnly ? "read only" : facts.state === "in progress" ? "saved" : "",
        ]
      : [facts.waiting ? "No region in hand; choose Next." : "No region waits. Propose more, or train."];
    this.words.textContent = words.filter(Boolean).join(" \u00b7 ");
  }

  showQuestion(facts) {
    this.question.replaceChildren();
    if (!facts.question || !facts.question.length) return;
    made("span", this.question, "What are unpainted pixels of finished regions in this project?");
    for (const name of facts.question) {
      button(this.question, name, "Asked once; a setting of the project", () =>
        this.send({ kind: "unpainted", as: name })
      );
    }
  }

  showPaint() {
    const { height, width, classes, unlabelled, region } = this.facts;
    const paint = bytesOf(this.model.get("paint"));
    this.painted = null;
    if (region && paint.length === height * width) {
      const colours = classes.map(({ colour }) => rgbOf(colour));
      const pixels = new ImageData(width, height);
      for (let i = 0; i < paint.length; i++) {
        if (paint[i] === unlabelled || !colours[paint[i]]) continue;
        pixels.data.set([...colours[paint[i]], 255], 4 * i);
      }
      this.painted = sheet(width, height);
      this.painted.getContext("2d").putImageData(pixels, 0, 0);
    }
    this.draw();
  }

  veilOf(inside) {
    const { height, width, region } = this.facts;
    if (!region || inside.length !== height * width) return null; // all of it may be painted
    const pixels = new ImageData(width, height);
    for (let i = 0; i < inside.length; i++) if (!inside[i]) pixels.data.set([0, 0, 0, 128], 4 * i);
    const drawn = sheet(width, height);
    drawn.getContext("2d").putImageData(pixels, 0, 0);
    return drawn;
  }

  outlineOf(predicted) {
    const { height, width, region } = this.facts;
    if (!region || predicted.length !== height * width) return null;
    const pixels = new ImageData(width, height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = y * width + x;
        const differs =
          (x + 1 < width && predicted[i] !== predicted[i + 1]) || (y + 1 < height && predicted[i] !== predicted[i + width]);
        if (differs) pixels.data.set([255, 255, 0, 255], 4 * i);
      }
    }
    const drawn = sheet(width, height);
    drawn.getContext("2d").putImageData(pixels, 0, 0);
    return drawn;
  }

  // --- drawing -----------------------------------------------------------------------------------

  fit() {
    const { rows, columns, region } = this.facts;
    if (!region || !rows) return this.draw();
    this.zoom = Math.min(MOST_WIDTH / columns, MOST_HEIGHT / rows);
    this.zoom = this.zoom > 1 ? Math.floor(this.zoom * 2) / 2 : this.zoom;
    this.draw();
  }

  zoomBy(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.1), 24);
    this.draw();
  }

  draw() {
    const { rows, columns, top, left, height, width, region } = this.facts;
    const canvas = this.canvas;
    this.view.hidden = !region;
    if (!region || !rows) return;
    const [wide, high] = [Math.round(columns * this.zoom), Math.round(rows * this.zoom)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    canvas.setAttribute("aria-label", `Region of ${this.facts.image}, ${width} by ${height} pixels`);
    const on = canvas.getContext("2d");
    on.imageSmoothingEnabled = false;
    on.setTransform(this.zoom, 0, 0, this.zoom, 0, 0);
    on.clearRect(0, 0, columns, rows);
    if (this.picture) on.drawImage(this.picture, 0, 0, columns, rows);
    on.fillStyle = "rgba(0, 0, 0, 0.5)"; // what lies outside cannot be painted
    on.beginPath();
    on.rect(0, 0, columns, rows);
    on.rect(left, top, width, height);
    on.fill("evenodd");
    on.save();
    on.translate(left, top);
    on.beginPath();
    on.rect(0, 0, width, height);
    on.clip();
    this.drawRegion(on, width, height);
    on.restore();
    on.lineWidth = 2 / this.zoom;
    on.strokeStyle = "#00e5ff";
    on.strokeRect(left, top, width, height);
  }

  drawRegion(on, width, height) {
    if (this.heat && this.shows.heat) {
      on.globalAlpha = 0.55;
      on.drawImage(this.heat, 0, 0, width, height);
    }
    if (this.painted && this.shows.labels) {
      on.globalAlpha = 0.5;
      on.drawImage(this.painted, 0, 0);
    }
    on.globalAlpha = 1;
    if (this.outline && this.shows.predicted) on.drawImage(this.outline, 0, 0);
    if (this.veil) on.drawImage(this.veil, 0, 0);
    const colour = this.tool === "erase" ? "#ffffff" : this.facts.classes[this.value].colour;
    if (this.stroke) {
      on.globalAlpha = 0.5;
      on.strokeStyle = on.fillStyle = colour;
      on.lineWidth = 2 * this.radius;
      on.lineCap = on.lineJoin = "round";
      on.beginPath();
      this.stroke.forEach(([y, x], i) => (i ? on.lineTo(x, y) : on.moveTo(x, y)));
      if (this.stroke.length === 1) on.lineTo(this.stroke[0][1], this.stroke[0][0]);
      on.stroke();
      on.globalAlpha = 1;
    }
    on.lineWidth = 1.5 / this.zoom;
    on.strokeStyle = colour;
    if (this.corners.length) {
      on.beginPath();
      [...this.corners, ...(this.pointer ? [this.pointer] : [])].forEach(([y, x], i) =>
        i ? on.lineTo(x, y) : on.moveTo(x, y)
      );
      on.stroke();
    }
    if (this.pointer && (this.tool === "brush" || this.tool === "erase")) {
      on.beginPath();
      on.arc(this.pointer[1], this.pointer[0], this.radius, 0, 2 * Math.PI);
      on.stroke();
    }
  }

  // --- the person --------------------------------------------------------------------------------

  choose(tool) {
    this.tool = tool;
    this.corners = [];
    this.showFacts();
  }

  chooseClass(index) {
    this.value = index;
    if (this.tool === "erase") this.tool = "brush";
    this.showFacts();
  }

  toggle(name) {
    this.shows[name] = !this.shows[name];
    this.showFacts();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { top, left, rows, columns } = this.facts;
    return [
      ((event.clientY - box.top) / box.height) * rows - top,
      ((event.clientX - box.left) / box.width) * columns - left,
    ];
  }

  down(event) {
    if (event.button !== 0 || !this.canPaint) return;
    event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const here = this.place(event);
    if (this.tool === "polygon") {
      this.corners.push(here);
    } else if (this.tool === "fill") {
      this.send({ kind: "fill", points: [here], value: this.value });
    } else {
      this.stroke = [here];
    }
    this.draw();
  }

  move(event) {
    if (!this.facts.region) return;
    this.pointer = this.place(event);
    if (this.stroke) {
      const among = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const one of among.length ? among : [event]) this.stroke.push(this.place(one));
    } else if (event.timeStamp - this.touchedAt > TOUCH_EVERY_MS && this.canPaint) {
      this.touchedAt = event.timeStamp;
      this.send({ kind: "touched" });
    }
    this.draw();
  }

  up() {
    if (!this.stroke) return;
    const value = this.tool === "erase" ? this.facts.unlabelled : this.value;
    this.send({ kind: "stroke", points: this.stroke, radius: this.radius, value });
    this.stroke = null;
  }

  closePolygon() {
    if (this.corners.length > 2) this.send({ kind: "polygon", points: this.corners, value: this.value });
    this.corners = [];
    this.draw();
  }

  key(event) {
    const done = this.act(event);
    if (done) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  act(event) {
    const code = event.code;
    if ((event.ctrlKey || event.metaKey) && code === "KeyZ") {
      this.send({ kind: event.shiftKey ? "redo" : "undo" });
      return true;
    }
    if (event.altKey && /^Digit[1-9]$/.test(code)) {
      const index = Number(code.slice(5)) - 1;
      if (index < this.facts.classes.length) this.chooseClass(index);
      return true;
    }
    if (code === "Enter" && this.corners.length && event.target === this.root) {
      this.closePolygon();
      return true;
    }
    if (code === "Escape" && this.corners.length) {
      this.corners = [];
      this.draw();
      return true;
    }
    if (!event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return false;
    const letter = code.startsWith("Key") ? code.slice(3) : code;
    const tool = TOOLS.find(([, , key]) => key === letter);
    if (tool) return this.choose(tool[0]), true;
    const way = WAYS.find(([, , key]) => key === letter);
    if (way) {
      if (!this.ways[way[0]].disabled) this.send({ kind: way[0] });
      return true;
    }
    const others = {
      A: () => this.draft.disabled || this.send({ kind: "draft" }),
      R: () => this.reopen.hidden || this.send({ kind: "reopen" }),
      I: () => this.toggle("labels"),
      P: () => this.toggle("predicted"),
      U: () => this.toggle("heat"),
      ArrowUp: () => this.resize(1),
      ArrowDown: () => this.resize(-1),
    };
    if (!others[letter]) return false;
    others[letter]();
    return true;
  }

  resize(by) {
    this.radius = Math.min(Math.max(this.radius + by, 1), 60);
    this.size.value = this.radius;
    this.draw();
  }
}

function render({ model, el }) {
  const annotator = new Annotator(model, el);
  return () => annotator.stop();
}

export default { render };
