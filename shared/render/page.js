"use strict";

// This script shows the differences in the page's data. Everything from a database is added to the page as
// a text node: no string is parsed as markup.
(() => {
  const PAGE_ROWS = 50;      // differences per page
  const SHOWN_COLUMNS = 12;  // columns of a difference that are shown at first
  const SHOWN_LINES = 12;    // lines of a value that are shown without folding
  const CONTEXT_LINES = 2;   // equal lines that are shown before and after a line that differs
  const SHOWN_CHARS = 320;   // characters of an equal text in one line that are shown without folding
  const CONTEXT_CHARS = 90;  // characters that are shown of a longer one, at its beginning and at its end
  const ABSENT = -1;         // in a pattern: the node has no such row
  const UNKNOWN = -2;        // in a pattern: the document does not list what the node has
  const COLORS = 8;          // nodes that have a color of their own

  const byId = (id) => document.getElementById(id);
  const layout = JSON.parse(byId("layout").textContent);
  const status = byId("status");
  if (!status) return; // nothing differs
  const FIRST = layout.first ?? 0; // differences of the document before those of this page

  // ---- Data: indexes are decoded at the start, the rows of a chunk when one of them is shown.

  const data = load();

  function load() {
    const chunks = Array.from(document.querySelectorAll("script.index"), (element) => ({
      index: JSON.parse(element.textContent),
      rows: element.nextElementSibling,
    }));
    const count = chunks.reduce((sum, chunk) => sum + chunk.index.keys.length, 0);
    const all = {
      count,
      chunks,
      chunk: new Uint32Array(count),
      place: new Uint16Array(count),
      unsettled: new Uint8Array(count),
    };
    let at = 0;
    chunks.forEach((chunk, number) => {
      for (const place of chunk.index.unsettled ?? []) all.unsettled[at + place] = 1;
      for (let place = 0; place < chunk.index.keys.length; place++, at++) {
        all.chunk[at] = number;
        all.place[at] = place;
      }
    });
    return all;
  }

  const indexOf = (at) => data.chunks[data.chunk[at]].index;
  const patternOf = (at) => indexOf(at).patterns[indexOf(at).pattern[data.place[at]]];
  const keyOf = (at) => indexOf(at).keys[data.place[at]];
  const differingOf = (at) => indexOf(at).sets[indexOf(at).differ[data.place[at]]];

  function decoder() {
    const decoded = new Map();
    return (at) => {
      const chunk = data.chunks[data.chunk[at]];
      if (!decoded.has(chunk)) decoded.set(chunk, JSON.parse(chunk.rows.textContent));
      return decoded.get(chunk)[data.place[at]];
    };
  }

  // ---- Nodes

  const nodes = layout.nodes;
  const several = nodes.length > 2;
  const nodeName = (node) => element("bdi", {}, ...visible(nodes[node]));
  const nodeClass = (node) => "node-" + (node % COLORS);
  const differs = (pattern, a, b) => pattern[a] !== pattern[b] && pattern[a] !== UNKNOWN && pattern[b] !== UNKNOWN;

  // shape returns what a pattern means: whether the nodes have different versions of the row, the nodes
  // that have none, and the node that stands alone: no other has its version, and all others agree.
  const shapes = new WeakMap();
  function shape(pattern) {
    if (!shapes.has(pattern)) {
      const sizes = new Map();
      for (const version of pattern) sizes.set(version, (sizes.get(version) ?? 0) + 1);
      const alone = several && sizes.size === 2 && !sizes.has(UNKNOWN) ? pattern.findIndex((version) => sizes.get(version) === 1) : -1;
      shapes.set(pattern, {
        different: [...sizes.keys()].filter((version) => version >= 0).length > 1,
        missing: nodes.flatMap((_, node) => pattern[node] === ABSENT ? [node] : []),
        present: nodes.flatMap((_, node) => pattern[node] >= 0 ? [node] : []),
        unknown: nodes.flatMap((_, node) => pattern[node] === UNKNOWN ? [node] : []),
        alone,
      });
    }
    return shapes.get(pattern);
  }

  // ---- Text

  // The same characters as in text.go: invisible ones, and those that change how others are shown.
  const HIDDEN = /(?<![\u0250-\u{10ffff}])[\u200c\u200d]|(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu;
  const SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu;
  const number = new Intl.NumberFormat("en-US");
  const code = (c) => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  const plain = (text) => text.replace(HIDDEN, (c) => `⟨${code(c)}⟩`);

  // element returns a new element. The children are nodes and texts.
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // visible returns the nodes that show a text, with hidden characters as their numbers. In text that
  // differs, unusual spaces are shown as their numbers too.
  function visible(text, differs) {
    const nodes = [];
    let done = 0;
    const sign = (match) => {
      nodes.push(text.slice(done, match.index));
      done = match.index + match[0].length;
      if (match[0] === "\n") nodes.push(element("span", { class: "sign", "aria-hidden": "true" }, "↵"), "\n");
      else if (match[0] === "\t") nodes.push(element("span", { class: "sign", "aria-hidden": "true" }, "⇥"), "\t");
      else nodes.push(element("span", { class: "hidden" }, code(match[0])));
    };
    const matches = [...text.matchAll(HIDDEN), ...(differs ? text.matchAll(SPACE) : [])];
    matches.sort((a, b) => a.index - b.index).forEach(sign);
    nodes.push(text.slice(done));
    return nodes;
  }

  // lines returns the lines of a cell, as lists of pieces. chunk.go and cell.go describe cells. A piece
  // has a text that may be marked, or the number of characters that the page omits there.
  function lines(cell) {
    const list = [[]];
    for (const piece of Array.isArray(cell) ? cell : [cell]) {
      if (typeof piece === "number" && piece < 0) {
        if (list.at(-1).length > 0) list.push([]);
        list.at(-1).push({ text: "  ".repeat(-1 - piece), marked: false });
      } else if (typeof piece === "number") {
        list.at(-1).push({ omitted: piece });
      } else {
        const marked = Array.isArray(piece), text = marked ? piece[0] : piece;
        text.split(/(?<=\n)/).forEach((part, n) => {
          if (n > 0) list.push([]);
          list.at(-1).push({ text: part, marked });
        });
        if (text.endsWith("\n")) list.push([]);
      }
    }
    return list;
  }

  // foldAt returns a position near n at which a text can be cut between two characters.
  function foldAt(text, n) {
    while (n < text.length && /[\udc00-\udfff\p{M}\u200d]/u.test(text[n])) n++;
    return n;
  }

  function note(n, what, title) {
    return element("span", { class: "left", title }, `… ${number.format(n)} ${n === 1 ? what : what + "s"} …`);
  }

  // pieceNodes returns the nodes of a piece. A long text that is equal on all nodes is folded.
  function pieceNodes(piece, fold, state) {
    if (piece.omitted) return [note(piece.omitted, "more character", "left out of this page; the document has the whole value")];
    if (piece.marked) return [element("mark", {}, ...visible(piece.text, true))];
    if (!state.compared || piece.text.length <= SHOWN_CHARS) return visible(piece.text, false);
    state.folds = true;
    if (!fold) return visible(piece.text, false);
    const from = foldAt(piece.text, CONTEXT_CHARS), to = foldAt(piece.text, piece.text.length - CONTEXT_CHARS);
    return [...visible(piece.text.slice(0, from), false), note(to - from, "equal character"), ...visible(piece.text.slice(to), false)];
  }

  // shownLines returns which lines are shown of a value that is folded: those that differ, with their
  // neighbours. If none differs, it is the first ones.
  function shownLines(list) {
    const marked = list.map((line) => line.some((piece) => piece.marked));
    if (!marked.includes(true)) return list.map((_, n) => n < SHOWN_LINES - 2);
    return list.map((_, n) => marked.slice(Math.max(0, n - CONTEXT_LINES), n + CONTEXT_LINES + 1).includes(true));
  }

  // content returns the nodes of a cell. state.folds is set if some of it is, or can be, folded.
  function content(cell, fold, state) {
    if (cell === null) return [element("span", { class: "nothing" }, "NULL")];
    const list = lines(cell);
    if (list.flat().every((piece) => piece.text === "")) return [element("span", { class: "nothing" }, "empty text")];
    state.compared = list.flat().some((piece) => piece.marked);
    const shown = list.length > SHOWN_LINES ? shownLines(list) : list.map(() => true);
    if (shown.includes(false)) state.folds = true;
    const made = [];
    let hidden = 0;
    const skip = () => {
      if (hidden > 0) made.push(element("span", { class: "fold" }, note(hidden, state.compared ? "equal line" : "more line")));
      hidden = 0;
    };
    list.forEach((line, n) => {
      if (fold && !shown[n]) { hidden++; return; }
      skip();
      if (n > 0 && made.length > 0 && !endsLine(list[n - 1])) made.push("\n");
      for (const piece of line) made.push(...pieceNodes(piece, fold, state));
    });
    skip();
    return made;
  }

  const endsLine = (line) => line.at(-1)?.text?.endsWith("\n") ?? false;

  // value returns the element of a cell. If no part of a differing cell is marked, all of it is.
  function value(cell, differing, fold = false, state = {}) {
    const made = content(cell, fold, state);
    const marked = !differing || made.some((node) => node.nodeName === "MARK");
    return element("bdi", { class: "value" }, ...(marked ? made : [element("mark", {}, ...made)]));
  }

  // ---- Filter

  const controls = byId("controls");
  const wanted = { text: byId("text"), pair: byId("pair"), kind: byId("kind"), column: byId("column"), unsettled: byId("unsettled") };
  const showEqual = byId("equal");
  let found = new Uint32Array(0); // the differences that pass the filter
  let page = 0;

  function option(select, value, text) { select.append(element("option", { value }, plain(text))); }

  // fillControls offers what occurs in the page's data.
  function fillControls() {
    const pairs = new Set(), alone = new Set(), missing = new Set(), columns = new Set();
    let split = false;
    for (const { index } of data.chunks) {
      for (const pattern of index.patterns) {
        const { alone: node, missing: absent } = shape(pattern);
        if (node >= 0) alone.add(node);
        else split = true;
        absent.forEach((n) => missing.add(n));
        nodes.forEach((_, a) => nodes.forEach((_, b) => { if (a < b && differs(pattern, a, b)) pairs.add(a * nodes.length + b); }));
      }
      for (const set of index.sets) for (const column of set) columns.add(column);
    }
    const sorted = (set) => [...set].sort((a, b) => a - b);
    for (const pair of sorted(pairs)) option(wanted.pair, pair, nodes[Math.floor(pair / nodes.length)] + " / " + nodes[pair % nodes.length]);
    for (const node of sorted(alone)) option(wanted.kind, "alone:" + node, nodes[node] + " stands alone");
    if (split && alone.size > 0) option(wanted.kind, "split", "no node stands alone");
    if (several) for (const node of sorted(missing)) option(wanted.kind, "missing:" + node, "missing on " + nodes[node]);
    else for (const node of sorted(missing).reverse()) option(wanted.kind, "missing:" + node, "only on " + nodes[1 - node]);
    for (const column of sorted(columns)) option(wanted.column, column, layout.columns[column]);
    wanted.pair.parentElement.hidden = !several || pairs.size < 2;
    wanted.column.parentElement.hidden = columns.size === 0;
    wanted.unsettled.parentElement.hidden = !data.unsettled.includes(1);
    controls.hidden = false;
  }

  // kindTest returns the condition of a kind of difference.
  function kindTest(kind) {
    const [what, node] = kind.split(":");
    switch (what) {
      case "d": return (pattern) => shape(pattern).different;
      case "alone": return (pattern) => shape(pattern).alone === Number(node);
      case "split": return (pattern) => shape(pattern).alone < 0;
    }
    return (pattern) => pattern[node] === ABSENT;
  }

  // tests returns the conditions of the filter, cheap ones first.
  function tests() {
    const list = [];
    const text = wanted.text.value.toLowerCase();
    const pair = Number(wanted.pair.value), kind = wanted.kind.value, column = wanted.column.value;
    if (wanted.unsettled.checked) list.push((at) => data.unsettled[at] === 1);
    if (wanted.pair.value !== "") list.push((at) => differs(patternOf(at), Math.floor(pair / nodes.length), pair % nodes.length));
    if (kind !== "") {
      const test = kindTest(kind);
      list.push((at) => test(patternOf(at)));
    }
    if (column !== "") list.push((at) => differingOf(at).includes(Number(column)));
    if (text !== "") list.push((at) => keyOf(at).toLowerCase().includes(text));
    return list;
  }

  function filter() {
    const list = tests();
    const passing = new Uint32Array(data.count);
    let n = 0;
    for (let at = 0; at < data.count; at++) {
      if (list.every((test) => test(at))) passing[n++] = at;
    }
    found = passing.subarray(0, n);
    show(0);
  }

  // ---- Rows

  function header() {
    const cells = nodes.map((_, node) => element("th", { scope: "col", role: "columnheader", class: nodeClass(node) }, nodeName(node)));
    return element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, element("th", { scope: "col", role: "columnheader" }, "Column"), ...cells));
  }

  // list returns nodes that name some nodes of the cluster.
  const list = (which) => which.flatMap((node, n) => n === 0 ? [nodeName(node)] : [", ", nodeName(node)]);
  const columns = (n, what) => `${number.format(n)} ${what}${n === 1 ? "column" : "columns"}`;

  function tags(at) {
    const { different, missing, present, unknown, alone } = shape(patternOf(at));
    const made = [];
    const tag = (node, ...children) => made.push(element("span", { class: "tag" + (node >= 0 ? " of-node " + nodeClass(node) : "") }, ...children));
    if (present.length === 1 && unknown.length === 0) tag(present[0], "only on ", ...list(present));
    else if (missing.length > 0) tag(missing.length === 1 ? missing[0] : -1, "missing on ", ...list(missing));
    if (different) {
      const n = differingOf(at).length;
      if (alone >= 0) tag(alone, "only ", nodeName(alone), " differs");
      tag(-1, columns(n, ""), n === 1 ? " differs" : " differ");
    }
    if (unknown.length > 0) tag(-1, "not listed for ", ...list(unknown));
    if (data.unsettled[at]) made.push(element("span", { class: "tag unsettled" }, "still being written"));
    return made;
  }

  function keyLine(at, rows, more) {
    const key = [];
    for (let column = 0; column < layout.key; column++) {
      const cell = rows[0][column];
      key.push(element("span", {},
        element("span", { class: "name" }, ...visible(layout.columns[column])), " ",
        element("bdi", { class: "value" }, ...content(Array.isArray(cell) ? cell.flat().filter((piece) => !(piece < 0)) : cell, false, {}))));
    }
    return element("tr", { class: "key", role: "row" }, element("th", { scope: "rowgroup", role: "rowheader" },
      element("div", { class: "key-line" }, element("span", { class: "number" }, number.format(FIRST + at + 1)), ...key,
        element("span", { class: "tags" }, ...more, ...tags(at)))));
  }

  // valueOf returns the version whose cell holds the value that a version has in a column.
  const valueOf = (rows, version, column) => typeof rows[version][column] === "number" ? rows[version][column] : version;

  // common returns the version whose value most nodes have in a column, or -1 if there is none.
  function common(pattern, rows, column) {
    const sizes = new Map();
    for (const version of pattern) if (version >= 0) sizes.set(valueOf(rows, version, column), (sizes.get(valueOf(rows, version, column)) ?? 0) + 1);
    const [first, second] = [...sizes].sort((a, b) => b[1] - a[1]);
    return several && first[1] > (second?.[1] ?? 0) ? first[0] : -1;
  }

  // emptyCell returns the cell of a node that has no such row, or whose row is not known. Only the first
  // line of a difference says so.
  function emptyCell(node, unknown, first) {
    const text = unknown ? ["not in the document"] : ["no such row on ", nodeName(node)];
    return element("td", { class: unknown ? "unknown" : "missing", role: "cell", "data-node": plain(nodes[node]) }, first ? element("span", {}, ...text) : "");
  }

  // line returns the line of one column, with a cell for each node. If the value is folded, it has a
  // button that unfolds it on all nodes.
  function line(at, rows, column, first, fold) {
    const pattern = patternOf(at), differing = differingOf(at).includes(column);
    const name = element("th", { scope: "row", role: "rowheader" }, element("bdi", {}, ...visible(layout.columns[column])));
    const made = element("tr", { class: differing ? "differs" : "equal", role: "row" }, name);
    const state = {};
    const usual = differing ? common(pattern, rows, column) : -1;
    const shownOn = new Map();
    pattern.forEach((version, node) => {
      if (version < 0) { made.append(emptyCell(node, version === UNKNOWN, first)); return; }
      const at = valueOf(rows, version, column), seen = shownOn.get(at);
      const classes = [nodeClass(node), at === usual ? "usual" : "", differing && at !== usual ? "unusual" : ""].join(" ").trim();
      const cell = element("td", { class: classes, role: "cell", "data-node": plain(nodes[node]) });
      if (seen !== undefined && shownOn.get("long:" + at)) cell.append(element("span", { class: "same-as" }, "same as ", nodeName(seen)));
      else {
        const own = {};
        cell.append(value(rows[at][column], differing, fold, own));
        if (own.folds) { state.folds = true; shownOn.set("long:" + at, true); }
        if (seen === undefined) shownOn.set(at, node);
      }
      made.append(cell);
    });
    if (!differing && !pattern.some((version) => version < 0)) spanAll(made);
    if (state.folds) {
      name.append(foldButton(at, rows, column, first, fold));
      if (!fold) unfold(made, layout.columns[column]);
    }
    return made;
  }

  // spanAll makes the first of several equal cells as wide as all.
  function spanAll(line) {
    while (line.cells.length > 2) line.lastChild.remove();
    line.lastChild.className = "all";
    line.lastChild.removeAttribute("data-node");
  }

  // unfold makes a line scrollable, so that the values of all nodes have one scroll position.
  function unfold(line, name) {
    line.classList.add("unfolded");
    line.tabIndex = 0;
    line.setAttribute("aria-label", "Whole values of " + plain(name));
  }

  function foldButton(at, rows, column, first, fold) {
    const button = element("button", { type: "button", class: "more unfold", "aria-expanded": String(!fold) }, fold ? "show all of it" : "fold");
    button.addEventListener("click", () => {
      const other = line(at, rows, column, first, !fold);
      button.closest("tr").replaceWith(other);
      other.querySelector(".unfold").focus();
    });
    return button;
  }

  // writtenLine returns the line with the last write of each node's row. The list is empty if the document
  // has none of them.
  function writtenLine(at, rows) {
    const writes = rows.at(-1).written;
    if (!writes) return [];
    const made = element("tr", { class: "equal written", role: "row" }, element("th", { scope: "row", role: "rowheader" }, "last written"));
    patternOf(at).forEach((version, node) => {
      if (version < 0) { made.append(emptyCell(node, version === UNKNOWN, false)); return; }
      const cell = element("td", { class: nodeClass(node), role: "cell", "data-node": plain(nodes[node]) });
      const [time, origin] = writes[node] ?? [];
      if (time) cell.append(element("time", { datetime: time }, time.replace("T", " ").replace("Z", " UTC")));
      else cell.append(element("span", { class: "same-as" }, "time not known"));
      if (origin) cell.append(" ", element("span", { class: "same-as" }, "by ", element("bdi", {}, ...visible(origin))));
      made.append(cell);
    });
    return [made];
  }

  // group returns the lines of one difference: all of them, or at most SHOWN_COLUMNS.
  function group(at, rows, all) {
    const others = layout.columns.map((_, column) => column).slice(layout.key);
    const differing = differingOf(at), alone = !shape(patternOf(at)).different;
    const main = alone ? others : differing;
    const equal = alone ? [] : others.filter((column) => !differing.includes(column));
    const shown = all ? main : main.slice(0, SHOWN_COLUMNS);
    const columnsShown = all || showEqual.checked ? [...shown, ...equal] : shown;
    const left = [[Math.max(0, main.length - SHOWN_COLUMNS), "more "], [showEqual.checked ? 0 : equal.length, "equal "]].filter(([n]) => n > 0);
    const more = left.length > 0 ? [moreButton(at, rows, all, left.map(([n, what]) => columns(n, what)).join(", "))] : [];
    return element("tbody", { role: "rowgroup" }, keyLine(at, rows, more), ...writtenLine(at, rows), ...columnsShown.map((column, n) => line(at, rows, column, n === 0, true)));
  }

  function moreButton(at, rows, all, what) {
    const button = element("button", { type: "button", class: "more columns", "aria-expanded": String(all) }, (all ? "hide " : "show ") + what);
    button.addEventListener("click", () => {
      const body = group(at, rows, !all);
      button.closest("tbody").replaceWith(body);
      body.querySelector(".columns").focus();
    });
    return button;
  }

  function tables(list) {
    if (list.length === 0) return [];
    const rowsOf = decoder();
    const names = nodes.slice(0, -1).join(", ") + " and " + nodes.at(-1);
    const table = element("table", { class: "rows", role: "table", "aria-label": "Differences between " + plain(names) }, header());
    table.style.setProperty("--nodes", nodes.length);
    table.classList.toggle("two", !several);
    table.classList.toggle("many", nodes.length > 3);
    table.classList.toggle("wide", nodes.length > 5);
    for (const at of list) table.append(group(at, rowsOf(at), false));
    return [element("div", { class: "scroll" }, table)];
  }

  // ---- Pages

  const results = byId("results");
  const pagers = Array.from(document.querySelectorAll(".pager"), makePager);

  function makePager(nav) {
    const button = (text, label, far, target) => {
      const made = element("button", { type: "button", "aria-label": label, class: far ? "far" : undefined }, text);
      made.addEventListener("click", () => turn(nav, target()));
      return made;
    };
    const input = element("input", { type: "number", min: "1", inputmode: "numeric" });
    input.addEventListener("change", () => turn(nav, Number(input.value) - 1));
    const total = element("span");
    const buttons = {
      first: button("«", "First page", true, () => 0),
      previous: button("‹ Previous", "Previous page", false, () => page - 1),
      next: button("Next ›", "Next page", false, () => page + 1),
      last: button("»", "Last page", true, () => pages() - 1),
    };
    nav.append(buttons.first, buttons.previous, element("label", {}, "Page ", input, total), buttons.next, buttons.last);
    return { nav, input, total, ...buttons };
  }

  const pages = () => Math.max(1, Math.ceil(found.length / PAGE_ROWS));

  // turn shows a page. After a click below the rows it scrolls to their top.
  function turn(nav, target) {
    show(target);
    if (nav !== pagers[0].nav) {
      byId("rows-title").focus({ preventScroll: true });
      byId("rows").scrollIntoView();
    }
  }

  function show(target) {
    page = Math.min(Math.max(0, Math.trunc(target) || 0), pages() - 1);
    const from = page * PAGE_ROWS, list = found.subarray(from, from + PAGE_ROWS);
    results.replaceChildren(...tables(list));
    if (list.length === 0) results.append(element("p", { class: "empty" }, "No difference passes the filter."));
    const all = number.format(data.count), passing = number.format(found.length);
    const range = list.length === 0 ? "None" : `${number.format(from + 1)} to ${number.format(from + list.length)}`;
    if (layout.found) status.textContent = `${range} of ${passing}${found.length === data.count ? "" : " that pass the filter"}, among the differences ${number.format(FIRST + 1)} to ${number.format(FIRST + data.count)} of ${number.format(layout.found)}`;
    else status.textContent = found.length === data.count ? `${range} of ${all} differences` : `${range} of ${passing} that pass the filter, of ${all} differences`;
    for (const pager of pagers) {
      pager.nav.hidden = pages() === 1;
      pager.input.value = page + 1;
      pager.input.max = pages();
      pager.total.textContent = " of " + number.format(pages());
      disable(page === 0, pager.first, pager.previous);
      disable(page === pages() - 1, pager.next, pager.last);
    }
  }

  // disable uses aria-disabled, so that a button keeps the keyboard focus.
  function disable(disabled, ...buttons) {
    for (const button of buttons) button.setAttribute("aria-disabled", String(disabled));
  }

  // ---- Start

  // showAlone says in the verdict which node stands alone, if the page has all differences.
  function showAlone() {
    const place = byId("alone");
    if (!place || byId("cut")) return;
    const counts = nodes.map(() => 0);
    for (let at = 0; at < data.count; at++) {
      const { alone } = shape(patternOf(at));
      if (alone >= 0) counts[alone]++;
    }
    const most = counts.indexOf(Math.max(...counts));
    if (counts[most] === 0) return;
    place.append(" ", element("bdi", { class: "name " + nodeClass(most) }, ...visible(nodes[most])), ` stands alone in ${number.format(counts[most])} of them.`);
  }

  showAlone();
  fillControls();
  const cut = byId("cut");
  if (cut) controls.before(cut); // the reader must see it before the rows
  let waiting;
  wanted.text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  for (const control of [wanted.pair, wanted.kind, wanted.column, wanted.unsettled]) control.addEventListener("change", filter);
  showEqual.addEventListener("change", () => show(page));
  filter();
})();
