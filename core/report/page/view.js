/* The page: its tables, and the connection that is chosen. */
const DATA = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const INDEX = Object.fromEntries(DATA.marks.map((m, i) => [m[0], i]));
const has = (bits, key) => (bits >> INDEX[key] & 1) === 1;
const TROUBLE = DATA.marks.reduce((bits, m, i) => bits | (m[3] ? 1 << i : 0), 0);

function element(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const [k, v] of Object.entries(attributes || {}))
		if (k.startsWith('on'))
			e.addEventListener(k.slice(2), v);
		else if (v !== null && v !== undefined && v !== false)
			e.setAttribute(k, v);
	e.append(...children);
	return e;
}

function fact(list, name, value, id, trouble) {
	const dd = element('dd', {id, class: trouble && 'trouble'}, value);
	list.append(element('div', {}, element('dt', {}, name), dd));
}

const both = (k, what) => what(k.side[0]) + what(k.side[1]);
const lostOf = (k) => both(k, (s) => s.lost);
const again = (k) => both(k, (s) => s.count[INDEX.again]);
const spanOf = (k) => k.last - k.first;
const goodput = (k) => spanOf(k) ? Math.max(k.side[0].fresh, k.side[1].fresh) * 8e9 / spanOf(k) : 0;

/* Of the farther side: the mean. 0: not known. */
const roundTrip = (k) => Math.max(...k.side.map((s) => s.rtt ? s.rtt[2] : 0));

function stateOf(k) {
	if (k.reset)
		return 'reset';
	if (k.side[0].fin && k.side[1].fin)
		return 'closed';
	if (k.side[0].fin || k.side[1].fin)
		return 'half closed';
	return k.established || !k.side[0].syn ? 'open' : 'not established';
}

function summary() {
	const list = $('summary');
	const time = new Date(DATA.began / 1e6).toISOString().replace('T', ' ').slice(0, 19) + ' UTC';
	$('file').textContent = DATA.packets ? DATA.file + ' · ' + time : DATA.file;
	document.title = 'TCP report · ' + DATA.file.replace(/.*\//, '');
	$('partial').hidden = !DATA.partial;
	$('partial').textContent = 'Not all of the capture is in here: ' + DATA.partial + '.';
	fact(list, 'Time', asTime(DATA.packets ? DATA.ended - DATA.began : 0), 'total-time');
	fact(list, 'Packets', asCount(DATA.packets), 'total-packets');
	fact(list, 'On the wire', asBytes(DATA.bytes), 'total-bytes');
	fact(list, 'TCP connections', asCount(DATA.count), 'total-connections');
	fact(list, 'Payload', asBytes(DATA.fresh), 'total-payload');
	fact(list, 'Packets sent again', asCount(DATA.again), 'total-again', DATA.again > 0);
	fact(list, 'Lost by impairment', asCount(DATA.lost), 'total-lost', DATA.lost > 0);
	fact(list, 'Packets not TCP', asCount(DATA.other), 'total-other');
	if (DATA.broken)
		fact(list, 'Unreadable', asCount(DATA.broken), 'total-broken', true);
}

/* --- the table --- */

const COLUMNS = [
	['#', (k) => k.n, String, 'number'],
	['Client', (k) => k.side[0].end, String],
	['Server', (k) => k.side[1].end, String],
	['Program', (k) => k.process, String],
	['Start', (k) => k.first, asTime, 'number'],
	['Duration', spanOf, asTime, 'number'],
	['Packets', (k) => both(k, (s) => s.packets), asCount, 'number'],
	['Sent', (k) => k.side[0].fresh, asBytes, 'number'],
	['Received', (k) => k.side[1].fresh, asBytes, 'number'],
	['Goodput', goodput, asRate, 'number'],
	['Round trip', roundTrip, (v) => v ? asTime(v) : '–', 'number'],
	['Again', again, asCount, 'number trouble'],
	['Lost', lostOf, asCount, 'number trouble'],
	['State', stateOf, String],
];
const TABLE_ROWS = 500;
let order = {column: 6, down: true}, chosen = null;

function sorted() {
	const value = COLUMNS[order.column][1], words = $('search').value.toLowerCase().split(/\s+/).filter((w) => w);
	const list = DATA.conns.filter((k) => {
		const text = [k.side[0].end, k.side[1].end, k.process, stateOf(k)].join(' ').toLowerCase();
		return words.every((w) => w[0] === '#' ? w === '#' + k.n : text.includes(w));
	});
	return list.sort((a, b) => {
		const x = value(a), y = value(b);
		return x === y ? a.n - b.n : (x < y) === order.down ? 1 : -1;
	});
}

function cell([, value, text, kind], k) {
	const v = value(k), trouble = kind && kind.includes('trouble') && v > 0;
	return element('td', {class: kind && (trouble ? 'number trouble' : 'number')}, text(v));
}

function drawTable() {
	const list = sorted().slice(0, TABLE_ROWS), keys = ['Enter', ' '];
	const direction = order.down ? 'descending' : 'ascending';
	$('connections').tHead.replaceChildren(element('tr', {}, ...COLUMNS.map(([name, , , kind], i) => element('th',
		{scope: 'col', class: kind, 'aria-sort': i === order.column ? direction : 'none'},
		element('button', {type: 'button', onclick: () => sortBy(i)}, name)))));
	$('connections').tBodies[0].replaceChildren(...list.map((k) => element('tr',
		{tabindex: 0, 'data-n': k.n, 'aria-selected': String(k === chosen), onclick: () => choose(k),
			onkeydown: (e) => keys.includes(e.key) && (e.preventDefault(), choose(k))},
		...COLUMNS.map((column) => cell(column, k)))));
	$('listed').textContent = list.length === DATA.count ? ''
		: asCount(list.length) + ' of ' + asCount(DATA.count) + ' shown';
}

function sortBy(i) {
	order = {column: i, down: i === order.column ? !order.down : COLUMNS[i][3] !== undefined};
	drawTable();
	$('connections').tHead.rows[0].cells[i].firstChild.focus();
}

/* --- the chosen connection --- */

const view = {t0: 0, t1: 1, all: [0, 1], hover: null, select: null};
let charts = [], story = null, sender = 1;

function unpackStory(raw) {
	const unpacked = ([name, text]) => [name, unpackSeries(text)];
	const side = raw.side.map((s) => Object.fromEntries(Object.entries(s).map(unpacked)));
	return {...raw, side, marks: unpackMarks(raw.marks)};
}

function choose(k) {
	const raw = DATA.charts.find((c) => c.n === k.n), room = Math.max(spanOf(k) * 0.01, 1000);
	chosen = k;
	for (const row of $('connections').tBodies[0].rows)
		row.setAttribute('aria-selected', String(Number(row.dataset.n) === k.n));
	$('connection').hidden = false;
	$('connection-title').textContent = `#${k.n}  ${k.side[0].end} → ${k.side[1].end}  ${k.process}`.trim();
	story = raw ? unpackStory(raw) : null;
	sender = k.side[1].payload > k.side[0].payload ? 1 : 0;
	view.all = [k.first - room, k.last + room];
	[view.t0, view.t1] = view.all;
	view.hover = view.select = null;
	$('tools').hidden = $('charts').hidden = !story;
	$('missing').hidden = !story || !story.missing;
	$('missing').textContent = 'There was more than the charts have room for: some points or marks are missing.';
	drawSide();
	drawLadder();
}

function drawSide() {
	drawFacts();
	$('direction').replaceChildren(...[0, 1].map((i) => element('button', {type: 'button', id: 'direction-' + i,
		'aria-pressed': String(sender === i), onclick: () => {
			sender = i;
			drawSide();
			$('direction-' + i).focus();
		}}, 'Data of ' + (i ? 'the server' : 'the client'))));
	makeCharts();
}

function optionsOf(s) {
	return [s.mss && 'mss ' + s.mss, s.wscale >= 0 && 'wscale ' + s.wscale, s.sack && 'SACK', s.ts && 'timestamps']
		.filter((x) => x).join(', ');
}

function drawFacts() {
	const k = chosen, list = $('facts'), s = k.side[sender], o = k.side[1 - sender];
	list.replaceChildren();
	fact(list, 'Handshake', k.handshake ? asTime(k.handshake) : 'not captured', 'fact-handshake');
	fact(list, 'Round trip: least · mean · most', s.rtt ? s.rtt.slice(1).map(asTime).join(' · ') : '–', 'fact-rtt');
	fact(list, 'Payload: new · with repeats', asBytes(s.fresh) + ' · ' + asBytes(s.payload), 'fact-payload');
	fact(list, 'Most in flight', asBytes(s.flight), 'fact-flight');
	if (s.cwnd)
		fact(list, 'Largest congestion window', asBytes(s.cwnd), 'fact-cwnd');
	fact(list, 'Options', optionsOf(s) || '–', 'fact-options');
	if (lostOf(k))
		fact(list, 'Lost by impairment: these · others', asCount(s.lost) + ' · ' + asCount(o.lost),
			'fact-lost', true);
	DATA.marks.forEach(([key, , plural, trouble], i) => {
		if (s.count[i] && key !== 'lost')
			fact(list, plural[0].toUpperCase() + plural.slice(1), asCount(s.count[i]), 'fact-' + key,
				trouble);
	});
}

/* --- its ladder --- */

/* A frame of several segments of which some arrived has its head, too. */
function arrowOf([, , , from, bits, len, flags, , words]) {
	const is = (key) => has(bits, key) ? key : '', lost = is('lost');
	const [, n, of] = words.match(/lost[^;]* (\d+) of (\d+) segments/) || [, 1, 1];
	return element('div', {class: ['line', from ? 'back' : '', is('again'), lost, is('reset')].join(' ')},
		element('span', {}, flags + (len ? ' ' + len : '')),
		element('span', {class: 'head', 'aria-hidden': 'true'}, lost && n === of ? '✕' : from ? '◀' : '▶'));
}

function rowOf(r) {
	const [number, , at, , bits, , , numbers, words] = r;
	return element('tr', {class: bits & TROUBLE ? 'trouble' : null, 'data-packet': number},
		element('td', {class: 'number muted'}, String(number)),
		element('td', {class: 'number time'}, (at / 1e9).toFixed(6)),
		element('td', {class: 'arrow'}, arrowOf(r)), element('td', {class: 'numbers'}, numbers),
		element('td', {class: 'words'}, words));
}

function ladderNote(k) {
	if (!story)
		return `Only the largest connections have charts here; teecee ladder -n ${k.n} draws this one.`;
	if (story.rows.length < story.segments)
		return `First, last and remarkable of ${asCount(story.segments)}; teecee ladder -n ${k.n} draws all.`;
	return '';
}

function drawLadder() {
	const k = chosen, only = $('trouble-only').checked, rows = [];
	let next = 0;
	const ends = element('div', {class: 'ends'}, ...k.side.map((s) => element('span', {}, s.end)));
	$('ladder').tHead.replaceChildren(element('tr', {},
		...['Packet', 'Time, s', ends, 'Numbers', 'Remarks'].map((h) => element('th', {scope: 'col'}, h))));
	for (const r of story ? story.rows : []) {
		if (only && !(r[4] & TROUBLE))
			continue;
		if (r[1] > next && !only)
			rows.push(element('tr', {class: 'gap'},
				element('td', {colspan: 5}, asCount(r[1] - next) + ' more')));
		next = r[1] + 1;
		rows.push(rowOf(r));
	}
	$('ladder').tBodies[0].replaceChildren(...rows);
	$('ladder-note').textContent = ladderNote(k);
}
