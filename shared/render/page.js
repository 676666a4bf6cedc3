"use strict";

// This script shows the differences in the page's data. Everything from a database is added to the page as
// a text node: no string is parsed as markup.
(() => {
  const PAGE_ROWS = 50;      // differences per page
  const SHOWN_COLUMNS = 12;  // columns of a difference that are shown at first

  const byId = (id) => document.getElementById(id);
  const layout = JSON.parse(byId("layout").textContent);
  const status = byId("status");
  if (!status) return; // nothing differs

  // ---- Data: indexes are decoded at the start, the rows of a chunk when one of them is shown.

  const data = load();

  function load() {
    const chunks = Array.from(document.querySelectorAll("script.index"), (element) => ({
      index: JSON.parse(element.textContent),
      rows: element.nextElementSibling,
    }));
    const count = chunks.reduce((sum, chunk) => sum + chunk.index.kinds.length, 0);
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
      for (let place = 0; place < chunk.index.kinds.length; place++, at++) {
        all.chunk[at] = number;
        all.place[at] = place;
      }
    });
    return all;
  }

  const indexOf = (at) => data.chunks[data.chunk[at]].index;
  const pairOf = (at) => indexOf(at).pair;
  const kindOf = (at) => indexOf(at).kinds[data.place[at]];
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

  // pieces returns the nodes of a cell. chunk.go and cell.go describe cells.
  function pieces(cell) {
    if (cell === null) return [element("span", { class: "nothing" }, "NULL")];
    const list = Array.isArray(cell) ? cell : [cell];
    if (list.every((piece) => String(piece) === "")) return [element("span", { class: "nothing" }, "empty text")];
    return list.flatMap((piece) => {
      if (typeof piece === "number") {
        const note = `… ${number.format(piece)} more ${piece === 1 ? "character" : "characters"} …`;
        return [element("span", { class: "left", title: "left out of this page; the document has the whole value" }, note)];
      }
      return Array.isArray(piece) ? [element("mark", {}, ...visible(piece[0], true))] : visible(piece, false);
    });
  }

  // value returns the element of a cell. If no part of a differing cell is marked, all of it is.
  function value(cell, differs) {
    const nodes = pieces(cell);
    const marked = !differs || nodes.some((node) => node.nodeName === "MARK");
    return element("bdi", { class: "value" }, ...(marked ? nodes : [element("mark", {}, ...nodes)]));
  }

  // ---- Filter

  const controls = byId("controls");
  const wanted = { text: byId("text"), pair: byId("pair"), kind: byId("kind"), column: byId("column"), unsettled: byId("unsettled") };
  const showEqual = byId("equal");
  let found = new Uint32Array(0); // the differences that pass the filter
  let page = 0;

  function option(select, value, text) { select.append(element("option", { value }, plain(text))); }

  function fillControls() {
    const pairs = new Set(), nodes = new Set(), columns = new Set();
    for (const { index } of data.chunks) {
      pairs.add(index.pair);
      if (index.kinds.includes("f")) nodes.add(layout.pairs[index.pair][0]);
      if (index.kinds.includes("s")) nodes.add(layout.pairs[index.pair][1]);
      for (const set of index.sets) for (const column of set) columns.add(column);
    }
    for (const pair of pairs) option(wanted.pair, pair, layout.pairs[pair].join(" / "));
    for (const node of nodes) option(wanted.kind, "only:" + node, "only on " + node);
    for (const column of [...columns].sort((a, b) => a - b)) option(wanted.column, column, layout.columns[column]);
    wanted.pair.parentElement.hidden = pairs.size < 2;
    wanted.column.parentElement.hidden = columns.size === 0;
    wanted.unsettled.parentElement.hidden = !data.unsettled.includes(1);
    controls.hidden = false;
  }

  // tests returns the conditions of the filter, cheap ones first.
  function tests() {
    const list = [];
    const text = wanted.text.value.toLowerCase();
    const pair = wanted.pair.value, kind = wanted.kind.value, column = wanted.column.value;
    if (pair !== "") list.push((at) => pairOf(at) === Number(pair));
    if (kind === "d") list.push((at) => kindOf(at) === "d");
    if (kind.startsWith("only:")) {
      const node = kind.slice("only:".length);
      list.push((at) => kindOf(at) !== "d" && layout.pairs[pairOf(at)][kindOf(at) === "f" ? 0 : 1] === node);
    }
    if (wanted.unsettled.checked) list.push((at) => data.unsettled[at] === 1);
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

  function header(pair) {
    const [first, second] = layout.pairs[pair];
    return element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
      element("th", { scope: "col", role: "columnheader" }, "Column"),
      element("th", { scope: "col", role: "columnheader", class: "first" }, element("bdi", {}, ...visible(first))),
      element("th", { scope: "col", role: "columnheader", class: "second" }, element("bdi", {}, ...visible(second)))));
  }

  function tags(at) {
    const [first, second] = layout.pairs[pairOf(at)];
    const list = [];
    const only = (side, node) => element("span", { class: "tag only-" + side }, "only on ", element("bdi", {}, ...visible(node)));
    if (kindOf(at) === "f") list.push(only("first", first));
    if (kindOf(at) === "s") list.push(only("second", second));
    if (kindOf(at) === "d") list.push(element("span", { class: "tag" }, columns(differingOf(at).length, "") + (differingOf(at).length === 1 ? " differs" : " differ")));
    if (data.unsettled[at]) list.push(element("span", { class: "tag unsettled" }, "still being written"));
    return list;
  }

  const columns = (n, what) => `${number.format(n)} ${what}${n === 1 ? "column" : "columns"}`;

  function keyLine(at, rows, more) {
    const row = rows[0] ?? rows[1];
    const key = [];
    for (let column = 0; column < layout.key; column++) {
      key.push(element("span", {},
        element("span", { class: "name" }, ...visible(layout.columns[column])), " ",
        element("bdi", { class: "value" }, ...pieces(Array.isArray(row[column]) ? row[column].flat() : row[column]))));
    }
    return element("tr", { class: "key", role: "row" }, element("th", { colspan: "3", scope: "rowgroup", role: "rowheader" },
      element("div", { class: "key-line" }, element("span", { class: "number" }, number.format(at + 1)), ...key,
        element("span", { class: "tags" }, ...more, ...tags(at)))));
  }

  function columnName(column) {
    return element("th", { scope: "row", role: "rowheader" }, element("bdi", {}, ...visible(layout.columns[column])));
  }

  function cell(side, pair, ...children) {
    return element("td", { class: side === 0 ? "first" : "second", role: "cell", "data-node": plain(layout.pairs[pair][side]) }, ...children);
  }

  function differingLine(pair, rows, column) {
    return element("tr", { class: "differs", role: "row" }, columnName(column),
      cell(0, pair, value(rows[0][column], true)), cell(1, pair, value(rows[1][column], true)));
  }

  function equalLine(row, column) {
    return element("tr", { class: "equal", role: "row" }, columnName(column),
      element("td", { colspan: "2", role: "cell" }, value(row[column], false)));
  }

  // aloneLines returns the lines of a row that one node lacks, without the key.
  function aloneLines(at, pair, rows, columns) {
    const side = kindOf(at) === "f" ? 0 : 1;
    return columns.map((column, n) => {
      const line = element("tr", { role: "row" }, columnName(column), cell(side, pair, value(rows[side][column], false)));
      if (n > 0) return line;
      const missing = element("td", { class: "missing", role: "cell", rowspan: columns.length, "data-node": plain(layout.pairs[pair][1 - side]) },
        element("span", {}, "no such row on ", element("bdi", {}, ...visible(layout.pairs[pair][1 - side]))));
      if (side === 0) line.append(missing); else line.insertBefore(missing, line.lastChild);
      return line;
    });
  }

  // group returns the lines of one difference: all of them, or at most SHOWN_COLUMNS.
  function group(at, rows, all) {
    const pair = pairOf(at), alone = kindOf(at) !== "d";
    const others = layout.columns.map((_, column) => column).slice(layout.key);
    const main = alone ? others : differingOf(at);
    const equal = alone ? [] : others.filter((column) => rows[1][column] === 0);
    const shown = all ? main : main.slice(0, SHOWN_COLUMNS);
    const lines = alone ? aloneLines(at, pair, rows, shown) : shown.map((column) => differingLine(pair, rows, column));
    if (all || showEqual.checked) lines.push(...equal.map((column) => equalLine(rows[0], column)));
    const left = [[Math.max(0, main.length - SHOWN_COLUMNS), "more "], [showEqual.checked ? 0 : equal.length, "equal "]].filter(([n]) => n > 0);
    const more = left.length > 0 ? [moreButton(at, rows, all, left.map(([n, what]) => columns(n, what)).join(", "))] : [];
    return element("tbody", { role: "rowgroup" }, keyLine(at, rows, more), ...lines);
  }

  function moreButton(at, rows, all, what) {
    const button = element("button", { type: "button", class: "more", "aria-expanded": String(all) }, (all ? "hide " : "show ") + what);
    button.addEventListener("click", () => {
      const body = group(at, rows, !all);
      button.closest("tbody").replaceWith(body);
      body.querySelector(".more").focus();
    });
    return button;
  }

  // tables returns a table for each sequence of differences of one pair.
  function tables(list) {
    const rowsOf = decoder();
    const made = [];
    let table, pair = -1;
    for (const at of list) {
      if (pairOf(at) !== pair) {
        pair = pairOf(at);
        table = element("table", { class: "rows", role: "table", "aria-label": "Differences between " + plain(layout.pairs[pair].join(" and ")) }, header(pair));
        made.push(table);
      }
      table.append(group(at, rowsOf(at), false));
    }
    return made;
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
    status.textContent = found.length === data.count ? `${range} of ${all} differences` : `${range} of ${passing} that pass the filter, of ${all} differences`;
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
