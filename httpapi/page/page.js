// Draws openapi.json as one page. It knows what our document uses of OpenAPI
// 3.1, adds text as text only, and asks for nothing but the document.
"use strict";

const methods = ["get", "head", "post", "put", "patch", "delete"];
let doc;

// el makes an element; parts are strings, elements, or nothing.
function el(tag, classes, ...parts) {
  const e = document.createElement(tag);
  if (classes) e.className = classes;
  e.append(...parts.flat().filter((p) => p !== null && p !== undefined && p !== ""));
  return e;
}

function link(href, ...parts) {
  const a = el("a", "", ...parts);
  a.href = href;
  return a;
}

// resolve follows a reference into the document.
function resolve(v) {
  for (let hops = 0; v && v.$ref && hops < 10; hops++) {
    v = v.$ref.slice(2).split("/").reduce((at, key) => at && at[key.replaceAll("~1", "/").replaceAll("~0", "~")], doc);
  }
  return v || {};
}

function nameOf(schema) {
  return schema.$ref ? schema.$ref.split("/").pop() : "";
}

// typeOf says in a few words what a schema takes.
function typeOf(schema) {
  const name = nameOf(schema);
  if (name) return [link("#schema-" + name, name)];
  const choice = schema.oneOf || schema.anyOf;
  if (choice) return choice.flatMap((s, i) => (i ? [" or ", ...typeOf(s)] : typeOf(s)));
  const types = [].concat(schema.type || "any");
  if (types.includes("array")) return ["list of ", ...typeOf(schema.items || {})];
  if (types.includes("object") && typeof schema.additionalProperties === "object") {
    return ["map of ", ...typeOf(schema.additionalProperties)];
  }
  return [types.join(" or ") + (schema.format && schema.format !== "int64" ? " (" + schema.format + ")" : "")];
}

// boundsOf lists what limits the values of a schema.
function boundsOf(schema) {
  const out = [];
  if (schema.enum) out.push("one of " + schema.enum.join(", "));
  if (schema.minimum !== undefined && schema.maximum !== undefined) out.push(schema.minimum + " to " + schema.maximum);
  else if (schema.minimum !== undefined) out.push("at least " + schema.minimum);
  else if (schema.maximum !== undefined) out.push("at most " + schema.maximum);
  if (schema.minLength) out.push("at least " + schema.minLength + " characters");
  if (schema.maxLength !== undefined) out.push("at most " + schema.maxLength + " characters");
  if (schema.maxItems !== undefined) out.push("at most " + schema.maxItems + " items");
  if (schema.pattern) out.push("of the form " + schema.pattern);
  if (schema.default !== undefined) out.push("default " + JSON.stringify(schema.default));
  return out.join("; ");
}

// paragraphs splits prose of the document, whose lines end where the source's
// do: a blank line begins a paragraph, any other line end is a space.
function paragraphs(text) {
  return (text || "").split(/\n\s*\n/).map((p) => p.replace(/\s*\n\s*/g, " ").trim()).filter(Boolean);
}

// fields draws the properties of a schema; those that hold more are opened
// by the reader, so that no schema is drawn within itself.
function fields(schema) {
  const s = resolve(schema);
  const choice = s.oneOf || s.anyOf;
  if (choice) return el("div", "", choice.map((c) => opened(typeOf(c), c)));
  if (s.type === "array") return fields(s.items || {});
  const names = Object.keys(s.properties || {});
  if (!names.length) return null;
  return el("div", "fields", names.map((name) => {
    const p = s.properties[name];
    const must = (s.required || []).includes(name) ? [" ", el("span", "must", "required")] : [];
    const text = [p.description || resolve(p).description, boundsOf(resolve(p))].filter(Boolean).join("; ");
    const line = [el("code", "", name), " ", el("span", "dim", typeOf(p)), ...must, text ? " — " + text : ""];
    return hasFields(p) ? opened(line, p) : el("div", "field", line);
  }));
}

function hasFields(schema) {
  const s = resolve(schema);
  if (s.type === "array") return hasFields(s.items || {});
  return Boolean(s.properties || s.oneOf || s.anyOf);
}

function opened(line, schema) {
  const d = el("details", "field", el("summary", "", line));
  d.addEventListener("toggle", () => { if (d.open && d.children.length === 1) d.append(fields(schema) || ""); });
  return d;
}

// exampleOf gives an example of a body: the document's own, else one made
// from the schema.
function exampleOf(media) {
  const given = (media.examples || {})[media["x-first"]] || Object.values(media.examples || {})[0];
  if (given) return given.value;
  return media.example !== undefined ? media.example : made(media.schema || {}, 0);
}

function made(schema, depth) {
  const s = resolve(schema);
  if (s.examples) return s.examples[0];
  const choice = s.oneOf || s.anyOf;
  if (choice) return made(choice[0], depth);
  if (depth > 6) return null;
  const type = [].concat(s.type)[0];
  if (type === "array") return [made(s.items || {}, depth + 1)];
  if (type === "object" || s.properties) {
    return Object.fromEntries(Object.entries(s.properties || {}).map(([k, p]) => [k, made(p, depth + 1)]));
  }
  if (s.enum) return s.enum[0];
  return { string: s.format === "date-time" ? "2026-01-02T03:04:05Z" : "", integer: s.minimum || 0, number: 0, boolean: false }[type];
}

function json(v) {
  return JSON.stringify(v, null, 2);
}

// quoted puts a word into single quotes for a shell.
function quoted(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

// curl is the call as a person types it.
function curl(method, path, op) {
  const parameters = op.parameters || [];
  for (const p of parameters.filter((p) => p.in === "path")) {
    path = path.replace("{" + p.name + "}", encodeURIComponent((p.schema.examples || [p.name])[0]));
  }
  const parts = ["curl" + ({ get: "", head: " -I" }[method] ?? " -X " + method.toUpperCase()) + (isStream(op) ? " -N" : "")];
  if ((op.security || []).length) parts.push('-H "Authorization: Bearer $TOKEN"');
  const media = mediaOf(op.requestBody);
  if (media && media.schema) parts.push("-H 'Content-Type: application/json'", "-d " + quoted(JSON.stringify(exampleOf(media))));
  parts.push(quoted(location.origin + path));
  return parts.join(" \\\n  ");
}

function isStream(op) {
  return Object.values(op.responses).some((r) => resolve(r).content && resolve(r).content["text/event-stream"]);
}

function mediaOf(body) {
  return body && Object.values(resolve(body).content || {})[0];
}

function copyable(text) {
  const button = el("button", "", "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.nextElementSibling);
    }
  });
  return el("div", "", button, el("pre", "", text));
}

function parameterRows(list) {
  return el("table", "", el("tbody", "", list.map((p) => el("tr", "",
    el("td", "", el("code", "", p.name), p.required ? [" ", el("span", "must", "required")] : []),
    el("td", "dim", p.in, ", ", typeOf(p.schema)),
    el("td", "", [p.description, boundsOf(resolve(p.schema))].filter(Boolean).join("; "))))));
}

function response(status, given) {
  const r = resolve(given);
  const media = mediaOf(r);
  const line = [el("code", "", status), " ", given.description || r.description || ""];
  const headers = Object.entries(r.headers || {}).map(([name, h]) => ({ ...h, name, in: "header" }));
  if (!media && !headers.length) return el("div", "field", line);
  const d = el("details", "", el("summary", "", line));
  if (headers.length) d.append(parameterRows(headers));
  if (media && media.schema) {
    d.append(el("div", "dim", Object.keys(r.content)[0], ": ", typeOf(media.schema)), fields(media.schema) || "");
    if (!isBinary(r)) d.append(el("pre", "", json(exampleOf(media))));
  }
  return d;
}

function isBinary(r) {
  return !Object.keys(r.content).some((type) => type.endsWith("json"));
}

// needs says what a caller has to come with.
function needs(op) {
  if (!(op.security || []).length) return "needs no token";
  return op["x-right"] ? "needs the right " + op["x-right"] : "needs any token";
}

function operation(method, path, op) {
  const media = mediaOf(op.requestBody);
  const parts = [
    el("h3", "", link("#" + op.operationId, el("span", "method " + method, method), " ", el("code", "", path))),
    el("div", "", op.summary, el("span", "dim", " (" + needs(op) + ")")),
    paragraphs(op.description).map((p) => el("p", "dim", p)),
    (op.parameters || []).length ? [el("h4", "", "Parameters"), parameterRows(op.parameters)] : [],
    media ? [el("h4", "", "Body"), fields(media.schema) || el("div", "dim", "any media type; passed on as it is")] : [],
    media ? Object.entries(media.examples || {}).sort(([a], [b]) => (b === media["x-first"]) - (a === media["x-first"])).map(([name, e]) => el("details", "", el("summary", "", "example: " + name), el("pre", "", json(e.value)))) : [],
    el("h4", "", "Answers"), Object.entries(op.responses).map(([status, r]) => response(status, r)),
    el("h4", "", "Call"), copyable(curl(method, path, op)),
  ];
  const a = el("article", "", ...parts.flat());
  a.id = op.operationId;
  return a;
}

// groups gives the operations by their tag, in the order of the document.
function groups() {
  const out = new Map((doc.tags || []).map((t) => [t.name, []]));
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of methods.filter((m) => item[m])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!out.has(tag)) out.set(tag, []);
      out.get(tag).push([method, path, item[method]]);
    }
  }
  return out;
}

function draw() {
  const main = document.getElementById("main"), index = document.getElementById("index");
  main.replaceChildren(el("h1", "", doc.info.title + " API"), ...paragraphs(doc.info.description).map((p) => el("p", "", p)), el("p", "", link("../openapi.json", "openapi.json"), " for generators of clients"));
  for (const [tag, operations] of groups()) {
    if (!operations.length) continue;
    const says = ((doc.tags || []).find((t) => t.name === tag) || {}).description;
    main.append(el("h2", "", tag), says ? el("p", "dim", says) : "");
    index.append(el("h2", "", tag));
    for (const [method, path, op] of operations) {
      main.append(operation(method, path, op));
      const a = link("#" + op.operationId, el("span", "method " + method, method), el("span", "path", path.replace("/api/v1", "")));
      a.title = op.summary;
      a.dataset.words = (method + " " + path + " " + op.summary + " " + op.operationId).toLowerCase();
      index.append(a);
    }
  }
  main.append(el("h2", "", "schemas"));
  for (const [name, s] of Object.entries(doc.components.schemas).sort(([a], [b]) => a.localeCompare(b))) {
    const a = el("article", "", el("h3", "", el("code", "", name)), s.description ? el("p", "", s.description) : "", fields(s) || el("div", "dim", typeOf(s), " ", boundsOf(s)));
    a.id = "schema-" + name;
    main.append(a);
  }
}

function filter() {
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/);
  for (const a of document.querySelectorAll("#index a")) {
    a.hidden = !words.every((w) => a.dataset.words.includes(w));
  }
}

async function main() {
  const place = document.getElementById("main");
  try {
    const answer = await fetch("../openapi.json");
    if (!answer.ok) throw new Error("openapi.json is answered with " + answer.status);
    doc = await answer.json();
    draw();
    document.getElementById("filter").addEventListener("input", filter);
    if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  } catch (err) {
    place.replaceChildren(el("p", "", "The page could not be drawn: " + err.message + ". Reload it, or read ", link("../openapi.json", "openapi.json"), "."));
  }
}

main();
