/*
 * A chart on a canvas. Its layers draw and tell what is under the pointer; all charts of the page
 * share one range of time, the view. Of what shares a column of pixels, the least and the greatest
 * are drawn.
 */
const MARGIN = {left: 84, right: 14, top: 8, bottom: 22};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

class Chart {
	/* A layer: {key, label, colour, range(chart), draw(chart), find(chart, x, y)}. */
	constructor(canvas, height, units, view) {
		Object.assign(this, {canvas, height, units, view, layers: [], off: new Set()});
		this.context = canvas.getContext('2d');
	}

	get shown() {
		return this.layers.filter((l) => !this.off.has(l.key));
	}

	x(t) {
		return this.left + (t - this.view.t0) / (this.view.t1 - this.view.t0) * this.width;
	}

	y(v) {
		return this.top + this.innerHeight * (1 - (v - this.low) / (this.high - this.low));
	}

	time(x) {
		return this.view.t0 + (x - this.left) / this.width * (this.view.t1 - this.view.t0);
	}

	layOut() {
		const scale = window.devicePixelRatio || 1, w = this.canvas.clientWidth;
		const width = Math.round(w * scale), height = Math.round(this.height * scale);
		if (this.canvas.width !== width || this.canvas.height !== height)
			Object.assign(this.canvas, {width, height});
		this.context.setTransform(scale, 0, 0, scale, 0, 0);
		this.left = MARGIN.left;
		this.top = MARGIN.top;
		this.width = Math.max(10, w - MARGIN.left - MARGIN.right);
		this.innerHeight = this.height - MARGIN.top - MARGIN.bottom;
	}

	/* What is shown fills the chart; a background layer, which may lie far above, has a third more at most. */
	scaleY() {
		let low = Infinity, high = -Infinity;
		const ranges = this.shown.map((l) => [l, l.range(this)]).filter(([, r]) => r);
		for (const [l, r] of ranges)
			if (!l.background || ranges.length === 1) {
				low = Math.min(low, r[0]);
				high = Math.max(high, r[1]);
			}
		if (!(low <= high))
			[low, high] = [0, 1];
		const limit = high + (high - low) / 3;
		for (const [, r] of ranges)
			high = Math.max(high, Math.min(limit, r[1]));
		if (this.fromZero)
			low = Math.min(0, low);
		const room = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
		this.low = this.fromZero && low === 0 ? 0 : low - room * (this.hasFeet ? 1.6 : 1);
		this.high = high + room;
	}

	drawAxes() {
		const c = this.context, right = this.left + this.width, bottom = this.top + this.innerHeight;
		c.font = '11px ' + getComputedStyle(document.body).fontFamily;
		c.strokeStyle = colour('grid');
		c.fillStyle = colour('muted');
		c.lineWidth = 1;
		c.textBaseline = 'middle';
		c.textAlign = 'right';
		c.beginPath();
		for (const [v, label] of ticks(this.low, this.high, this.innerHeight / 42, this.units)) {
			const y = Math.round(this.y(v)) + 0.5;
			c.moveTo(this.left, y);
			c.lineTo(right, y);
			c.fillText(label, this.left - 8, y);
		}
		c.textBaseline = 'top';
		c.textAlign = 'center';
		for (const [v, label] of ticks(this.view.t0, this.view.t1, this.width / 110, TIME_UNITS)) {
			const x = Math.round(this.x(v)) + 0.5;
			c.moveTo(x, this.top);
			c.lineTo(x, bottom);
			c.fillText(label, Math.min(Math.max(x, this.left + 12), right - 16), bottom + 6);
		}
		c.stroke();
	}

	draw() {
		const c = this.context;
		this.layOut();
		this.scaleY();
		c.clearRect(0, 0, this.canvas.clientWidth, this.height);
		this.drawAxes();
		c.save();
		c.beginPath();
		c.rect(this.left, this.top - 2, this.width, this.innerHeight + 4);
		c.clip();
		for (const l of this.shown)
			l.draw(this);
		this.drawCursor();
		c.restore();
	}

	drawCursor() {
		const c = this.context, v = this.view;
		if (v.select) {
			const [a, b] = v.select.map((t) => this.x(t));
			c.fillStyle = colour('select');
			c.fillRect(Math.min(a, b), this.top, Math.abs(b - a), this.innerHeight);
		}
		if (v.hover === null || v.hover < v.t0 || v.hover > v.t1)
			return;
		const x = Math.round(this.x(v.hover)) + 0.5;
		c.strokeStyle = colour('muted');
		c.lineWidth = 1;
		c.setLineDash([3, 3]);
		c.beginPath();
		c.moveTo(x, this.top);
		c.lineTo(x, this.top + this.innerHeight);
		c.stroke();
		c.setLineDash([]);
	}

	/* The nearest thing under the pointer, and its words; null: there is none. */
	find(x, y) {
		let best = null;
		for (const l of this.shown) {
			const f = l.find(this, x, y);
			if (f && (!best || f.distance < best.distance))
				best = f;
		}
		return best;
	}
}

/* What of an ascending series lies in the view, with a neighbour at each side. */
function visible(s, view) {
	const from = Math.max(0, lowerBound(s.t1, s.n, view.t0) - 1);
	const to = Math.min(s.n, lowerBound(s.t0, s.n, view.t1) + 1);
	return [from, to];
}

function rangeOf(s, view, low, high) {
	let [from, to] = visible(s, view), min = Infinity, max = -Infinity;
	/* A neighbour outside says where a line comes from, not how high the chart is. */
	if (to - from > 2) {
		from += s.t1[from] < view.t0;
		to -= s.t0[to - 1] > view.t1;
	}
	for (let i = from; i < to; i++) {
		min = Math.min(min, s[low][i]);
		max = Math.max(max, s[high][i]);
	}
	return min <= max ? [min, max] : null;
}

/* Of the points near x, the nearest to (x, y) that is within `reach`; box: its place on the canvas. */
function nearest(o, series, c, x, y, reach, box) {
	const [from, to] = visible(series, {t0: c.time(x - reach), t1: c.time(x + reach)});
	let best = null;
	for (let i = from; i < to; i++) {
		const [left, right, top, bottom] = box(i);
		const distance = Math.hypot(Math.max(left - x, x - right, 0), Math.max(top - y, y - bottom, 0)) + 1;
		if (distance < reach && (!best || distance < best.distance))
			best = {distance, at: series.t0[i], title: o.label, lines: o.words(series, i)};
	}
	return best;
}

/* Pieces of data, each from (t0, a) to (t1, b). */
function piecesLayer(o, series) {
	return {...o, range: (c) => rangeOf(series, c.view, 'a', 'b'),
		draw(c) {
			const g = c.context, [from, to] = visible(series, c.view);
			g.strokeStyle = colour(o.colour);
			g.lineWidth = to - from < 3000 ? 2 : 1.25;
			g.beginPath();
			for (let i = from; i < to; i++) {
				let y = c.y(series.a[i]), y1 = c.y(series.b[i]);
				if (y - y1 < 1)
					[y, y1] = [(y + y1) / 2 + 0.5, (y + y1) / 2 - 0.5];
				g.moveTo(c.x(series.t0[i]), y);
				g.lineTo(c.x(series.t1[i]), y1);
			}
			g.stroke();
		},
		find: (c, x, y) => nearest(o, series, c, x, y, 14,
			(i) => [c.x(series.t0[i]), c.x(series.t1[i]), c.y(series.b[i]), c.y(series.a[i])])};
}

/* A staircase; where points were merged, it runs from the lowest to the highest of them. */
function stepsLayer(o, series, low, high) {
	return {...o, range: (c) => rangeOf(series, c.view, low, high),
		draw(c) {
			const g = c.context, [from, to] = visible(series, c.view);
			g.strokeStyle = colour(o.colour);
			g.lineWidth = 1.25;
			g.setLineDash(o.dash || []);
			g.beginPath();
			for (let i = from; i < to; i++) {
				const x1 = c.x(series.t1[i]), y1 = c.y(series[high][i]);
				g[i === from ? 'moveTo' : 'lineTo'](c.x(series.t0[i]), c.y(series[low][i]));
				g.lineTo(x1, y1);
				if (i + 1 < to)
					g.lineTo(c.x(series.t0[i + 1]), y1);
			}
			g.stroke();
			g.setLineDash([]);
		},
		find(c, x, y) {
			const i = lowerBound(series.t0, series.n, c.time(x)) - 1;
			if (i < 0)
				return null;
			const distance = Math.max(c.y(series[high][i]) - y, y - c.y(series[low][i]), 0) + 3;
			if (distance >= 14)
				return null;
			return {distance, at: series.t0[i], title: o.label, lines: o.words(series, i)};
		}};
}

/* Single values: a dot each, or a bar over the range of those that were merged. */
function dotsLayer(o, series) {
	const middle = (c, i) => c.x((series.t0[i] + series.t1[i]) / 2);
	return {...o, range: (c) => rangeOf(series, c.view, 'lo', 'hi'),
		draw(c) {
			const g = c.context, [from, to] = visible(series, c.view), size = to - from < c.width ? 3 : 1.5;
			g.fillStyle = colour(o.colour);
			for (let i = from; i < to; i++) {
				const y = c.y(series.hi[i]), h = c.y(series.lo[i]) - y;
				g.fillRect(middle(c, i) - size / 2, y - size / 2, size, h + size);
			}
		},
		find: (c, x, y) => nearest(o, series, c, x, y, 16,
			(i) => [middle(c, i), middle(c, i), c.y(series.hi[i]), c.y(series.lo[i])])};
}

/*
 * Marks: every one is drawn, whatever the scale. `shape` draws one at x between two heights, smaller
 * where they are many; and each has a line at the chart's foot, in the layer's own row `foot`.
 */
function marksLayer(o, marks) {
	const times = marks.map((m) => m.at);
	const inView = (v) => [lowerBound(times, times.length, v.t0), lowerBound(times, times.length, v.t1 + 1)];
	return {...o, marks,
		range(c) {
			const [from, to] = inView(c.view);
			let low = Infinity, high = -Infinity;
			for (let i = from; i < to; i++) {
				low = Math.min(low, marks[i].seq);
				high = Math.max(high, marks[i].end);
			}
			return low <= high ? [low, high] : null;
		},
		draw(c) {
			const g = c.context, [from, to] = inView(c.view), many = to - from > c.width / 12;
			const foot = c.top + c.innerHeight + 2 - 6 * o.foot;
			g.strokeStyle = colour(o.colour);
			g.lineWidth = many ? 1 : 1.75;
			g.beginPath();
			for (let i = from; i < to; i++) {
				const x = c.x(marks[i].at);
				o.shape(g, x, c.y(marks[i].seq), c.y(marks[i].end), many ? 1.5 : 3.5);
				g.moveTo(x, foot);
				g.lineTo(x, foot - 5);
			}
			g.stroke();
		},
		find(c, x, y) {
			const [from, to] = inView({t0: c.time(x - 10), t1: c.time(x + 10)});
			let best = null;
			for (let i = from; i < to; i++) {
				const m = marks[i], dy = Math.max(c.y(m.end) - y, y - c.y(m.seq), 0);
				const distance = Math.hypot(c.x(m.at) - x, dy);
				if (distance < 12 && (!best || distance < best.distance))
					best = {distance, at: m.at, title: o.label, lines: o.words(m)};
			}
			return best;
		}};
}

const SHAPES = {
	/* A bar as tall as its bytes, with a foot that is seen in any scale. */
	bar(g, x, y, y1, r) {
		g.moveTo(x, Math.max(y, y1 + r));
		g.lineTo(x, y1);
		g.moveTo(x - r, y1);
		g.lineTo(x + r, y1);
	},
	cross(g, x, y, y1, r) {
		const m = (y + y1) / 2;
		g.moveTo(x - r, m - r);
		g.lineTo(x + r, m + r);
		g.moveTo(x - r, m + r);
		g.lineTo(x + r, m - r);
	},
	diamond(g, x, y, y1, r) {
		const m = (y + y1) / 2;
		g.moveTo(x, m - r);
		g.lineTo(x + r, m);
		g.lineTo(x, m + r);
		g.lineTo(x - r, m);
		g.lineTo(x, m - r);
	},
};

/* Bytes per time, of pieces {t0, t1, bytes} in bins of four pixels. */
function rateLayer(o, pieces) {
	const total = pieces.reduce((n, p) => n + p.bytes, 0);
	const times = pieces.map((p) => p.t0), longest = pieces.reduce((n, p) => Math.max(n, p.t1 - p.t0), 0);
	let bins = {values: new Float64Array(0)};

	function fill(c) {
		const v = c.view, n = Math.max(1, Math.floor(c.width / 4)), width = (v.t1 - v.t0) / n;
		const values = new Float64Array(n), to = lowerBound(times, times.length, v.t1);
		for (let i = lowerBound(times, times.length, v.t0 - longest); i < to; i++) {
			const p = pieces[i], last = Math.max(p.t1, p.t0 + 1);
			const end = Math.min(n - 1, Math.floor((last - v.t0) / width));
			for (let k = Math.max(0, Math.floor((p.t0 - v.t0) / width)); k <= end; k++) {
				const share = Math.min(last, v.t0 + (k + 1) * width) - Math.max(p.t0, v.t0 + k * width);
				values[k] += share > 0 ? p.bytes * share / (last - p.t0) : 0;
			}
		}
		bins = {values, width, t0: v.t0, unit: 8e9 / width};
	}

	return {...o, total,
		range(c) {
			fill(c);
			return [0, bins.values.reduce((a, b) => Math.max(a, b), 0) * bins.unit];
		},
		draw(c) {
			const g = c.context, bottom = c.y(0);
			g.beginPath();
			bins.values.forEach((v, k) => {
				const x = c.x(bins.t0 + k * bins.width), x1 = c.x(bins.t0 + (k + 1) * bins.width);
				const y = c.y(v * bins.unit);
				if (!v)
					return;
				if (!bins.values[k - 1])
					g.moveTo(x, bottom);
				g.lineTo(x, y);
				g.lineTo(x1, y);
				if (!bins.values[k + 1])
					g.lineTo(x1, bottom);
			});
			g.strokeStyle = g.fillStyle = colour(o.colour);
			g.lineWidth = 1.25;
			g.stroke();
			g.globalAlpha = 0.18;
			g.fill();
			g.globalAlpha = 1;
		},
		find(c, x, y) {
			const k = Math.floor((c.time(x) - bins.t0) / bins.width), v = bins.values[k];
			if (!v || y > c.y(0))
				return null;
			const distance = Math.max(c.y(v * bins.unit) - y, 0) + 4;
			return distance < 40 ? {distance, at: bins.t0 + k * bins.width, title: o.label,
				lines: [asRate(v * bins.unit), 'over ' + asTime(bins.width)]} : null;
		}};
}
