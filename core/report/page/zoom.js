/* The charts of the chosen connection, and what a person does with them. */

const packets = (n) => n === 1 ? '1 packet' : asCount(n) + ' packets';
const bytesOf = (a, b) => 'bytes ' + asCount(a) + ' to ' + asCount(b);
const rangeText = (text, x, i) => x.lo[i] === x.hi[i] ? text(x.hi[i]) : text(x.lo[i]) + ' to ' + text(x.hi[i]);

function markWords(m) {
	const names = DATA.marks.filter((x, i) => m.bits >> i & 1).map((x) => x[1] || x[2]);
	return ['packet ' + asCount(m.number) + (m.count > 1 ? ', ' + m.count + ' segments' : ''),
		m.end > m.seq ? bytesOf(m.seq, m.end) : '', story.notes[m.note] || names.join(', ')].filter((x) => x);
}

function sequenceLayers() {
	const s = story.side[sender], o = story.side[1 - sender], mine = story.marks.filter((m) => m.from === sender);
	const lost = mine.filter((m) => has(m.bits, 'lost')), resent = mine.filter((m) => has(m.bits, 'again'));
	const other = mine.filter((m) => !has(m.bits, 'lost') && !has(m.bits, 'again'));
	const windowWords = (x, i) => ['up to byte ' + asCount(x.hi[i]),
		asBytes(x.hi[i] - x.b[i]) + ' beyond the acknowledged'];
	const sackWords = (x, i) => [bytesOf(x.a[i], x.b[i])];
	const sentWords = (x, i) => [bytesOf(x.a[i], x.b[i]), packets(x.count[i])];
	const ackWords = (x, i) => ['up to byte ' + asCount(x.b[i]), packets(x.count[i])];
	return [
		stepsLayer({key: 'window', label: 'Window', colour: 'window', background: true, dash: [5, 3],
			words: windowWords}, o.ack, 'lo', 'hi'),
		piecesLayer({key: 'sack', label: 'SACK', colour: 'sack', words: sackWords}, o.sack),
		stepsLayer({key: 'ack', label: 'Acknowledged', colour: 'ack', words: ackWords}, o.ack, 'a', 'b'),
		piecesLayer({key: 'data', label: 'Sent', colour: 'data', words: sentWords}, s.data),
		marksLayer({key: 'again', foot: 1, label: 'Sent again', colour: 'again', shape: SHAPES.bar,
			words: markWords}, resent),
		marksLayer({key: 'other', foot: 2, label: 'Other marks', colour: 'other', shape: SHAPES.diamond,
			words: markWords}, other),
		marksLayer({key: 'lost', foot: 0, label: 'Lost', colour: 'lost', shape: SHAPES.cross,
			words: markWords}, lost),
	];
}

function flightLayers() {
	const s = story.side[sender], words = (x, i) => [rangeText(asBytes, x, i)];
	const list = [stepsLayer({key: 'flight', label: 'Sent and not acknowledged, seen from here', colour: 'data',
		words}, s.flight, 'lo', 'hi')];
	if (s.cwnd.n)
		list.push(stepsLayer({key: 'cwnd', label: 'Congestion window', colour: 'window', words},
			s.cwnd, 'lo', 'hi'));
	return list;
}

function rttLayers() {
	const words = (x, i) => [rangeText(asTime, x, i), x.count[i] > 1 ? x.count[i] + ' samples' : '1 sample'];
	const layer = (i) => dotsLayer({key: 'rtt' + i, colour: i === sender ? 'data' : 'near', words,
		label: 'From here to ' + (i ? 'the client' : 'the server') + ' and back'}, story.side[i].rtt);
	return [1 - sender, sender].filter((i) => story.side[i].rtt.n).map(layer);
}

function rateLayers() {
	const d = story.side[sender].data, pieces = [];
	for (let i = 0; i < d.n; i++)
		pieces.push({t0: d.t0[i], t1: d.t1[i], bytes: d.b[i] - d.a[i]});
	const resent = story.marks.filter((m) => m.from === sender && has(m.bits, 'again'))
		.map((m) => ({t0: m.at, t1: m.at, bytes: m.end - m.seq}));
	const fresh = rateLayer({key: 'goodput', label: 'New data', colour: 'data'}, pieces);
	const repeats = rateLayer({key: 'again', label: 'Sent again', colour: 'again'}, resent);
	return repeats.total ? [fresh, repeats] : [fresh];
}

const CHARTS = [
	['sequence', 'Sequence numbers', 380, BYTE_UNITS, sequenceLayers, false],
	['flight', 'Bytes in flight', 170, BYTE_UNITS, flightLayers, true],
	['rtt', 'Round trips', 170, TIME_UNITS, rttLayers, true],
	['rate', 'Throughput', 170, RATE_UNITS, rateLayers, true],
];

function legendButton(chart, layer) {
	const n = layer.marks ? layer.marks.reduce((sum, m) => sum + m.count, 0) : -1, sample = element('i', {});
	const label = layer.label + (n >= 0 ? ' (' + asCount(n) + ')' : '');
	const button = element('button', {type: 'button', 'data-layer': layer.key, 'aria-pressed': 'true'},
		sample, label);
	sample.style.background = 'var(--' + layer.colour + ')';
	button.addEventListener('click', () => {
		const off = !chart.off.delete(layer.key);
		if (off)
			chart.off.add(layer.key);
		button.setAttribute('aria-pressed', String(!off));
		chart.draw();
	});
	return button;
}

function makeCharts() {
	charts = [];
	$('charts').replaceChildren();
	for (const [id, title, height, units, layers, fromZero] of story ? CHARTS : []) {
		const canvas = element('canvas', {id: 'chart-' + id, role: 'img', 'aria-label': title});
		const chart = new Chart(canvas, height, units, view);
		canvas.style.height = height + 'px';
		chart.layers = layers();
		chart.fromZero = fromZero;
		chart.hasFeet = chart.layers.some((l) => l.marks);
		if (!chart.layers.length)
			continue;
		const legend = element('span', {class: 'legend', role: 'group', 'aria-label': 'Legend'},
			...chart.layers.map((l) => legendButton(chart, l)));
		const caption = element('figcaption', {}, element('b', {}, title), legend);
		$('charts').append(element('figure', {}, caption, canvas));
		listen(chart);
		charts.push(chart);
	}
	redraw();
}

function redraw() {
	$('range').textContent = asTime(Math.max(0, view.t0)) + ' – ' + asTime(view.t1);
	for (const c of charts)
		c.draw();
}

let waiting = false;
function redrawSoon() {
	if (waiting)
		return;
	waiting = true;
	requestAnimationFrame(() => {
		waiting = false;
		redraw();
	});
}

/* Not beyond all there is, not below a microsecond. */
function show(t0, t1) {
	const [first, last] = view.all, span = Math.min(Math.max(t1 - t0, 1000), last - first);
	view.t0 = Math.min(Math.max(t0, first), last - span);
	view.t1 = view.t0 + span;
	redrawSoon();
}

function zoom(factor, around) {
	const at = around === undefined ? (view.t0 + view.t1) / 2 : around;
	show(at - (at - view.t0) * factor, at + (view.t1 - at) * factor);
}

function move(part) {
	const span = view.t1 - view.t0;
	show(view.t0 + span * part, view.t1 + span * part);
}

function tip(e, found) {
	const t = $('tip');
	t.hidden = !found;
	if (!found)
		return;
	t.replaceChildren(element('b', {}, found.title), asTime(found.at),
		...found.lines.map((l) => element('div', {}, l)));
	const left = e.clientX + 16 + t.offsetWidth > innerWidth ? e.clientX - 16 - t.offsetWidth : e.clientX + 16;
	t.style.left = Math.max(4, left) + 'px';
	t.style.top = Math.max(4, Math.min(e.clientY + 16, innerHeight - t.offsetHeight - 8)) + 'px';
}

function listen(chart) {
	const c = chart.canvas, at = (e) => chart.time(e.clientX - c.getBoundingClientRect().left);
	c.addEventListener('pointerdown', (e) => {
		if (e.button !== 0)
			return;
		c.setPointerCapture(e.pointerId);
		view.select = [at(e), at(e)];
	});
	c.addEventListener('pointermove', (e) => {
		const box = c.getBoundingClientRect();
		view.hover = at(e);
		if (view.select)
			view.select[1] = at(e);
		tip(e, view.select ? null : chart.find(e.clientX - box.left, e.clientY - box.top));
		redrawSoon();
	});
	c.addEventListener('pointerup', () => {
		const s = view.select;
		view.select = null;
		if (s && Math.abs(chart.x(s[1]) - chart.x(s[0])) > 5)
			show(Math.min(...s), Math.max(...s));
		redrawSoon();
	});
	c.addEventListener('pointercancel', () => {
		view.select = null;
		redrawSoon();
	});
	c.addEventListener('pointerleave', (e) => {
		view.hover = null;
		tip(e, null);
		redrawSoon();
	});
	c.addEventListener('dblclick', () => show(...view.all));
	c.addEventListener('wheel', (e) => {
		if (!e.ctrlKey && !e.metaKey)
			return;
		e.preventDefault();
		zoom(e.deltaY < 0 ? 0.8 : 1.25, at(e));
	}, {passive: false});
}

const KEYS = {'+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1 / 0.6), '0': () => show(...view.all),
	ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), Home: () => move(-1e9), End: () => move(1e9)};

$('charts').addEventListener('keydown', (e) => {
	if (!KEYS[e.key] || e.ctrlKey || e.metaKey || e.altKey)
		return;
	e.preventDefault();
	KEYS[e.key]();
});
$('zoom-in').onclick = KEYS['+'];
$('zoom-out').onclick = KEYS['-'];
$('zoom-reset').onclick = KEYS['0'];
$('earlier').onclick = KEYS.ArrowLeft;
$('later').onclick = KEYS.ArrowRight;
$('search').addEventListener('input', drawTable);
$('trouble-only').addEventListener('change', drawLadder);
addEventListener('resize', redrawSoon);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawSoon);
summary();
drawTable();
if (DATA.conns.length)
	choose(DATA.conns.find((k) => DATA.charts.some((c) => c.n === k.n)) || DATA.conns[0]);
document.documentElement.dataset.ready = Math.round(performance.now());
