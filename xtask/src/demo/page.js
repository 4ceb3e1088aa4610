"use strict";
// Asks for this page again and puts what has changed into its place, cell by cell, so that nothing moves under a hand or a
// screen reader.

const every = 1000;

function put(from, to) {
    if (from.className !== to.className) from.className = to.className;
    if (from.innerHTML !== to.innerHTML) from.innerHTML = to.innerHTML;
}

function rows(page) {
    return [...page.getElementById("targets").rows];
}

function merge(next) {
    const [old, now] = [rows(document), rows(next)];
    const same = old.length === now.length && old.every((row, i) => row.id === now[i].id);
    if (same) {
        old.forEach((row, i) => {
            row.className = now[i].className;
            [...row.cells].forEach((cell, j) => put(cell, now[i].cells[j]));
        });
    } else {
        put(document.getElementById("targets"), next.getElementById("targets"));
    }
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
