// Moves the thresholds of this page. It reads the scores that stand in the page, and asks nobody for anything.
"use strict";
const STEPS = 200; // of a drawn curve
/** How many of the sorted scores are below the threshold. */
function below(scores, threshold) {
  let [low, high] = [0, scores.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    [low, high] = scores[middle] < threshold ? [middle + 1, high] : [low, middle];
  }
  return low;
}

const powerOf = (value) => 10 ** Math.floor(Math.log10(value || 1));
/** The next number that quarters well. */
const niceCeiling = (value) => powerOf(value) * [1, 2, 4, 8, 10].find((factor) => factor * powerOf(value) >= value * (1 - 1e-9));

/** Where the true share lies with 95 % confidence, if `rate` was seen in n (Wilson; 3.8415 is 1.96 squared). */
function interval(rate, n, zz = 3.841459) {
  const [middle, half] = [rate + zz / (2 * n), Math.sqrt((zz * rate * (1 - rate)) / n + (zz * zz) / (4 * n * n))];
  return n ? [-1, 1].map((sign) => Math.min(Math.max((middle + sign * half) / (1 + zz / n), 0), 1)) : [0, 1];
}

function start(section) {
  const data = JSON.parse(section.querySelector("script").textContent);
  const input = (name) => section.querySelector(`[data-in="${name}"]`);
  const say = (name, text) => section.querySelectorAll(`[data-out="${name}"]`).forEach((one) => (one.textContent = text));
  const number = (value, places) => value.toLocaleString(data.locale, { minimumFractionDigits: places, maximumFractionDigits: places });
  const fill = (text, values) => Object.entries(values).reduce((done, [key, value]) => done.replace(`{${key}}`, () => value), text);
  const price = (name) => Math.max(Number(input(name).value) || 0, 0);
  const svg = section.querySelector("svg");
  const mark = (name, key, value) => svg.querySelector(`.${name}`).setAttribute(key, value);
  const [left, right, top, bottom] = svg.dataset.box.split(" ").map(Number);
  let [line, share, exact] = [data.lines[0], data.lines[0].share, null]; // exact: a threshold between two steps of the slider

  const at = (threshold) => {
    const missRate = line.wanted.length ? below(line.wanted, threshold) / line.wanted.length : 0;
    const alarmRate = line.others.length ? 1 - below(line.others, threshold) / line.others.length : 0;
    const [misses, alarms] = [data.per * share * missRate, data.per * (1 - share) * alarmRate];
    const [hits, passed] = [data.per * share - misses, data.per * (1 - share) - alarms];
    return { threshold, missRate, alarmRate, misses, alarms, hits, passed, cost: misses * price("missed") + alarms * price("alarm") };
  };

  /** The middle of the longest stretch of cheapest thresholds. */
  function cheapest() {
    const scores = [...new Set([...line.wanted, ...line.others])].sort((a, b) => a - b);
    const last = scores[scores.length - 1];
    const between = scores.slice(1).map((one, i) => (one + scores[i]) / 2);
    const all = [Math.min(0, scores[0]), ...between, last < 1 ? (last + 1) / 2 : last + 1e-6].map(at);
    const least = all.reduce((lowest, one) => Math.min(lowest, one.cost), Infinity) * (1 + 1e-9) + 1e-9;
    let [from, best] = [0, [0, -1]];
    all.forEach(({ cost }, i) => {
      if (cost > least) from = i + 1;
      else if (i - from > best[1] - best[0]) best = [from, i];
    });
    return all[(best[0] + best[1]) >> 1];
  }

  const measured = (rate, n) => {
    const [low, high] = interval(rate, n).map((one) => `${number(100 * one, 1)} %`);
    return fill(data.measured, { k: number(Math.round(rate * n), 0), n: number(n, 0), low, high });
  };

  function draw() {
    const [now, best] = [at(exact ?? Number(input("threshold").value)), cheapest()];
    for (const key of ["misses", "alarms", "hits", "passed"]) {
      say(key, number(now[key], 1));
      say(`best${key[0].toUpperCase()}${key.slice(1)}`, number(best[key], 1));
      section.querySelector(`[data-part="${key}"]`).style.flexGrow = now[key];
    }
    for (const [name, value, places] of [["cost", now.cost, now.cost < 100 ? 2 : 0], ["bestCost", best.cost, best.cost < 100 ? 2 : 0], ["threshold", now.threshold, 3], ["bestThreshold", best.threshold, 3]]) say(name, number(value, places));
    const texts = { measuredMissed: measured(now.missRate, line.nWanted), measuredAlarm: measured(now.alarmRate, line.nOthers) };
    for (const [name, text] of Object.entries({ ...texts, share: fill(data.shareText, { label: line.label }) })) say(name, text);
    const [low, high] = line.range;
    const points = Array.from({ length: STEPS + 1 }, (_, i) => at(low + ((high - low) * i) / STEPS));
    const most = niceCeiling(Math.max(...points.map((one) => one.cost)));
    const x = (threshold) => left + ((right - left) * (threshold - low)) / (high - low);
    const y = (cost) => bottom - ((bottom - top) * cost) / most;
    mark("cost-line", "d", points.map((one, i) => `${i ? "L" : "M"}${x(one.threshold).toFixed(1)} ${y(one.cost).toFixed(1)}`).join(""));
    for (const [name, one, up] of [["cost-dot", now, y(now.cost)], ["cost-at", now, 0], ["cost-best", best, 0]]) mark(name, "transform", `translate(${x(one.threshold)} ${up})`);
    svg.querySelectorAll(".y-tick").forEach((tick, i) => (tick.textContent = ((most * i) / 4).toLocaleString(data.locale, { maximumSignificantDigits: 3 })));
  }

  section.addEventListener("input", ({ target }) => {
    if (target.dataset.in === "label") {
      [line, share] = [data.lines[Number(target.value)], data.lines[Number(target.value)].share];
      input("share").value = Number((share * data.per).toPrecision(4));
      [input("threshold").min, input("threshold").max] = line.range;
    }
    if (target.dataset.in === "share") share = Math.min(Math.max(Number(target.value) / data.per, 0), 1);
    if (["label", "threshold"].includes(target.dataset.in)) exact = null;
    draw();
  });
  input("best").addEventListener("click", () => {
    input("threshold").value = exact = cheapest().threshold;
    draw();
  });
  draw();
}
document.querySelectorAll("[data-line]").forEach(start);
