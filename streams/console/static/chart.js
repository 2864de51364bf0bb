// The day's line, drawn from the table below it, so that the two cannot disagree.

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { t } from "./i18n.js";
import * as words from "./words.js";

const HOUR = 3_600_000;

function read(table) {
  const rows = [...table.tBodies[0].rows];
  const cell = (row, index) => Number(row.cells[index].textContent);
  return {
    fromMs: Number(table.dataset.fromMs),
    toMs: Number(table.dataset.toMs),
    zone: table.dataset.zone,
    capacity: table.dataset.capacity === "" ? null : Number(table.dataset.capacity),
    starts: rows.map((row) => Number(row.dataset.startMs)),
    ends: rows.map((row) => Number(row.dataset.endMs)),
    entries: rows.map((row) => cell(row, 1)),
    exits: rows.map((row) => cell(row, 2)),
    inside: rows.map((row) => cell(row, 3)),
  };
}

export class DayChart {
  #like; // another day to compare with, drawn dashed: [[epoch ms of this day], [people inside]], or null
  #host;
  #table;
  #readout;
  #line;
  #bars;
  #day;
  #watch;
  #small;
  #gutter;

  constructor(host, table, readout, like = null) {
    this.#like = like;
    this.#host = host;
    this.#table = table;
    this.#readout = readout;
    this.#day = read(table);
    this.#build();
    this.#watch = new ResizeObserver(() => this.#resize());
    this.#watch.observe(host);
  }

  destroy() {
    this.#watch.disconnect();
    this.#line.destroy();
    this.#bars.destroy();
  }

  // Another colour scheme: a canvas does not follow its style sheet by itself.
  rebuild() {
    this.#line.destroy();
    this.#bars.destroy();
    this.#build();
  }

  renew() {
    this.#day = read(this.#table);
    if (this.#gutterOf(this.#small) !== this.#gutter) {
      this.rebuild();
      return;
    }
    this.#line.setData(this.#lineData());
    this.#bars.setData(this.#barData());
  }

  // The other day came later, or there is none any more.
  compare(like) {
    this.#like = like;
    this.rebuild();
  }

  // A bin's level is that at its end, so the line begins with the level before the first one.
  #lineData() {
    const { starts, ends, entries, exits, inside } = this.#day;
    const before = starts.length ? Math.max(0, inside[0] - entries[0] + exits[0]) : 0;
    const line = starts.length ? [[starts[0], ...ends], [before, ...inside]] : [[], []];
    return this.#like === null ? line : uPlot.join([line, this.#like]);
  }

  // Down is out, so that the two differ by more than their colour.
  #barData() {
    return [this.#day.starts, this.#day.entries, this.#day.exits.map((value) => -value)];
  }

  #heights() {
    const whole = this.#host.clientHeight;
    const bars = Math.round(Math.max(96, whole * 0.32));
    return [whole - bars, bars];
  }

  #resize() {
    const width = this.#host.clientWidth;
    const [line, bars] = this.#heights();
    if (width === this.#line.width && line === this.#line.height) return;
    this.#line.setSize({ width, height: line });
    this.#bars.setSize({ width, height: bars });
  }

  #build() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const rem = parseFloat(style.fontSize);
    const small = (this.#small = Math.max(13, Math.round(rem * 0.8)));
    const font = `450 ${small}px ${style.fontFamily}`;
    const [lineHeight, barHeight] = this.#heights();
    const width = this.#host.clientWidth;
    const gutter = (this.#gutter = this.#gutterOf(small));
    const axis = {
      stroke: colour("--soft"),
      font,
      ticks: { show: false },
      grid: { stroke: colour("--rule"), width: 1 },
    };
    const time = {
      ...axis,
      incrs: [1, 2, 3, 4, 6].map((hours) => hours * HOUR),
      space: small * 4.5,
      size: small * 1.9,
      gap: small * 0.4,
      values: (_, splits) => splits.map((at) => words.clock(at, this.#day.zone)),
    };
    const common = {
      width,
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), this.#day.zone),
      legend: { show: false },
      select: { show: false },
      padding: [small, small * 1.7, 0, 0],
    };
    const cursor = {
      y: false,
      drag: { x: false, y: false },
      sync: { key: "day" },
      points: { size: 0 },
    };
    const xScale = { time: true, range: () => [this.#day.fromMs, this.#day.toMs] };

    this.#line = new uPlot(
      {
        ...common,
        height: lineHeight,
        cursor,
        scales: { x: xScale, y: { range: (_, __, high) => [0, this.#top(high)] } },
        axes: [
          { ...time, values: (_, splits) => splits.map(() => ""), size: small * 0.8, gap: 0 },
          { ...axis, size: gutter, gap: small * 0.5, space: small * 3.2, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4], values: (_, splits) => splits.map(words.number) },
        ],
        series: [
          {},
          { stroke: colour("--accent"), width: Math.max(2, rem / 6), fill: colour("--wash"), points: { show: false }, spanGaps: true },
          ...(this.#like === null ? [] : [{ stroke: colour("--soft"), width: Math.max(1.5, rem / 10), dash: [small * 0.6, small * 0.5], points: { show: false }, spanGaps: true }]),
        ],
        hooks: { draw: [(plot) => this.#mark(plot, colour, font, small)] },
      },
      this.#lineData(),
      this.#host,
    );
    const bar = (size) => uPlot.paths.bars({ size: [0.55, size], align: 1, gap: 1 });
    this.#bars = new uPlot(
      {
        ...common,
        height: barHeight,
        padding: [0, small * 1.7, 0, 0],
        cursor,
        scales: { x: xScale, y: { range: (_, low, high) => this.#band(low, high) } },
        axes: [
          time,
          {
            ...axis,
            size: gutter,
            gap: small * 0.5,
            grid: { show: false },
            // The words stand where the numbers would: these bars are for the shape, the table is for the numbers.
            splits: (plot) => [plot.scales.y.max * 0.55, plot.scales.y.min * 0.55],
            values: () => [t("in ↑"), t("out ↓")],
          },
        ],
        series: [
          {},
          { fill: colour("--ink"), stroke: colour("--ink"), width: 0, paths: bar(10), points: { show: false } },
          { fill: colour("--soft"), stroke: colour("--soft"), width: 0, paths: bar(10), points: { show: false } },
        ],
        hooks: { draw: [(plot) => this.#zero(plot, colour)], setCursor: [(plot) => this.#tell(plot)] },
      },
      this.#barData(),
      this.#host,
    );
  }

  // Room above the line; the capacity is shown once the day comes near enough that it means something.
  #top(high) {
    const { capacity } = this.#day;
    const near = capacity && high >= capacity * 0.4;
    return Math.max(5, (near ? Math.max(high, capacity) : high ?? 0) * 1.12);
  }

  // Room for the longest number of the scale, the same for both plots.
  #gutterOf(small) {
    const highest = Math.max(0, ...this.#day.inside, ...(this.#like?.[1] ?? []));
    const longest = words.number(Math.ceil(this.#top(highest))).length;
    const word = Math.max(t("in ↑").length, t("out ↓").length);
    return Math.round(small * Math.max(3.4, 0.64 * longest + 0.8, 0.56 * word + 0.7));
  }

  // Neither way may become so flat that its word has no room.
  #band(low, high) {
    const most = Math.max(high, -low, 1);
    return [Math.min(low, -0.5 * most) * 1.2, Math.max(high, 0.5 * most) * 1.2];
  }

  #mark(plot, colour, font, small) {
    const { ctx } = plot;
    const dpr = devicePixelRatio;
    const { capacity, ends, inside } = this.#day;
    ctx.save();
    if (capacity && capacity <= plot.scales.y.max) {
      const y = plot.valToPos(capacity, "y", true);
      ctx.strokeStyle = ctx.fillStyle = colour("--soft");
      ctx.lineWidth = dpr;
      ctx.setLineDash([6 * dpr, 6 * dpr]);
      ctx.beginPath();
      ctx.moveTo(plot.bbox.left, y);
      ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
      ctx.stroke();
      ctx.font = font.replace(`${small}px`, `${small * dpr}px`);
      ctx.textAlign = "right";
      ctx.textBaseline = "bottom";
      ctx.fillText(t("capacity {people}", { people: words.number(capacity) }), plot.bbox.left + plot.bbox.width, y - 4 * dpr);
    }
    const last = ends.length - 1;
    if (last >= 0) {
      ctx.setLineDash([]);
      this.#now(plot, ends[last], colour, font, small);
      ctx.beginPath();
      ctx.arc(plot.valToPos(ends[last], "x", true), plot.valToPos(inside[last], "y", true), small * 0.42 * dpr, 0, 2 * Math.PI);
      ctx.fillStyle = colour("--accent");
      ctx.strokeStyle = colour("--wall");
      ctx.lineWidth = 3 * dpr;
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  // Where the day has come to: a thin line with its time, on the side that has room.
  #now(plot, atMs, colour, font, small) {
    const { ctx, bbox } = plot;
    const dpr = devicePixelRatio;
    const x = plot.valToPos(atMs, "x", true);
    ctx.strokeStyle = ctx.fillStyle = colour("--soft");
    ctx.lineWidth = dpr;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const said = t("now {time}", { time: words.clock(atMs, this.#day.zone) });
    ctx.font = font.replace(`${small}px`, `${small * dpr}px`);
    const right = x + ctx.measureText(said).width + 8 * dpr < bbox.left + bbox.width;
    ctx.textAlign = right ? "left" : "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(said, x + (right ? 5 : -5) * dpr, bbox.top + bbox.height - 3 * dpr);
  }

  #zero(plot, colour) {
    const { ctx } = plot;
    const y = plot.valToPos(0, "y", true);
    ctx.save();
    ctx.strokeStyle = colour("--soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(plot.bbox.left, y);
    ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  // What lies under the pointer or the thumb, on either plot: the bars' cursor follows the line's.
  #tell(plot) {
    const { starts, ends, entries, exits, inside, zone } = this.#day;
    const atMs = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : NaN;
    const index = starts.findIndex((start, place) => start <= atMs && atMs < Math.max(ends[place], start + 1));
    const at = starts[index];
    this.#readout.textContent =
      index < 0
        ? ""
        : t("{time}: {entries} in, {exits} out, {inside} inside after", {
            time: words.clock(at, zone),
            entries: words.number(entries[index]),
            exits: words.number(exits[index]),
            inside: words.number(inside[index]),
          });
  }
}
