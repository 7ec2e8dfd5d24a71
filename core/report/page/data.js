/* The data of the page: packed numbers unpacked, and numbers as a person reads them. */

/* Of base64 of varints; see core/report/pack.h. */
class Unpacker {
	constructor(text) {
		this.text = atob(text);
		this.at = 0;
	}

	unsigned() {
		let value = 0, scale = 1, byte;
		do {
			byte = this.text.charCodeAt(this.at++);
			value += (byte & 127) * scale;
			scale *= 128;
		} while (byte & 128);
		return value;
	}

	signed() {
		const v = this.unsigned();
		return v % 2 ? -(v + 1) / 2 : v / 2;
	}
}

/* Columns of a series, as core/report/report.c writes them. */
function unpackSeries(text) {
	const u = new Unpacker(text), n = u.unsigned(), column = () => new Float64Array(n);
	const s = {n, t0: column(), t1: column(), a: column(), b: column(), lo: column(), hi: column(),
		count: column()};
	let t = 0, b = 0, lo = 0;
	for (let i = 0; i < n; i++) {
		s.t0[i] = t += u.signed();
		s.t1[i] = t + u.signed();
		s.a[i] = b + u.signed();
		s.b[i] = b = s.a[i] + u.signed();
		s.lo[i] = lo += u.signed();
		s.hi[i] = lo + u.signed();
		s.count[i] = u.unsigned();
	}
	return s;
}

function unpackMarks(text) {
	const u = new Unpacker(text), n = u.unsigned(), marks = new Array(n);
	let at = 0, number = 0, seq = 0;
	for (let i = 0; i < n; i++) {
		at += u.signed();
		number += u.signed();
		seq += u.signed();
		marks[i] = {at, number, seq, end: seq + u.signed(), bits: u.unsigned(), count: u.unsigned(),
			from: u.unsigned(), note: u.unsigned()};
	}
	return marks;
}

/* The first index whose value is not below `v`; of n ascending values. */
function lowerBound(values, n, v) {
	let low = 0, high = n;
	while (low < high) {
		const mid = (low + high) >> 1;
		if (values[mid] < v)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- numbers for people --- */

function withUnit(v, units, digits) {
	let i = 0;
	while (i < units.length - 1 && Math.abs(v) < units[i][0] * 0.9995)
		i++;
	const scaled = v / units[i][0];
	const text = Number.isInteger(scaled) ? String(scaled) : scaled.toPrecision(digits || 3);
	return (text.includes('e') ? String(Math.round(scaled)) : text) + ' ' + units[i][1];
}

const TIME_UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];
const BYTE_UNITS = [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [1024, 'KiB'], [1, 'B']];
const RATE_UNITS = [[1e9, 'Gbit/s'], [1e6, 'Mbit/s'], [1e3, 'kbit/s'], [1, 'bit/s']];

const asTime = (ns) => ns === 0 ? '0 s' : withUnit(ns, TIME_UNITS, 4);
const asBytes = (n) => withUnit(n, BYTE_UNITS);
const asRate = (bits) => withUnit(bits, RATE_UNITS);
const asCount = (n) => n.toLocaleString('en').replace(/,/g, '\u202f');

/* Ticks at round numbers of a unit, about `wanted` of them: [value, label]. */
function ticks(low, high, wanted, units) {
	const span = high - low, top = Math.max(Math.abs(low), Math.abs(high));
	if (!(span > 0))
		return [];
	const unit = units.find((u) => top >= u[0]) || units[units.length - 1];
	const raw = span / unit[0] / wanted, power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].find((m) => m * power >= raw * 0.999) * power;
	const list = [], digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	for (let k = Math.ceil(low / unit[0] / step - 1e-9); k * step * unit[0] <= high; k++)
		list.push([k * step * unit[0], (k * step).toFixed(digits) + ' ' + unit[1]]);
	return list;
}
