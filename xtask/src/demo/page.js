"use strict";
// Asks for this page again and changes no more of it than is new, so that nothing moves under a hand or a screen reader.

const every = 1000;

// An element that stays keeps the focus and what is selected in it.
function put(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeName !== to.nodeName) return from.replaceWith(to);
    if (from.nodeType !== Node.ELEMENT_NODE) return from.data = to.data;
    for (const {name} of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
    for (const {name, value} of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    const [old, now] = [[...from.childNodes], [...to.childNodes]];
    old.slice(now.length).forEach(node => node.remove());
    now.forEach((node, i) => i < old.length ? put(old[i], node) : from.append(node));
}

function rows(page) {
    return [...page.getElementById("targets").rows];
}

function merge(next) {
    const [old, now] = [rows(document), rows(next)];
    const same = old.length === now.length && old.every((row, i) => row.id === now[i].id);
    const [from, to] = [document.getElementById("targets"), next.getElementById("targets")];
    if (same) put(from, to);
    else from.replaceWith(to);
    for (const id of ["summary", "problem"]) put(document.getElementById(id), next.getElementById(id));
    if (document.title !== next.title) {
        document.title = next.title;
        document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").getAttribute("href");
    }
}

async function refresh() {
    const lost = document.getElementById("lost");
    try {
        const answer = await fetch("./", {cache: "no-store", signal: AbortSignal.timeout(5000)});
        merge(new DOMParser().parseFromString(await answer.text(), "text/html"));
        lost.hidden = true;
    } catch {
        lost.hidden = false;
    }
    setTimeout(refresh, every);
}

setTimeout(refresh, every);
