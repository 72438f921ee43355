// Draws the charts of a record (docs/record-format.md) into the places that the page has for them.
(() => {
  'use strict';
  const record = JSON.parse(document.getElementById('record').textContent);
  const end = record.written_ns;
  const KINDS = {full: 'whole', minor: 'minor', begin: 'cycle begins', slice: 'slice', end: 'cycle ends'};
  const MAIN_TYPES = 8;

  const rowsOf = table => table.rows.map(row => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
  const collections = rowsOf(record.collections);
  const stops = rowsOf(record.stops);
  const moments = record.moments;
  const typeName = id => record.types[id] ?? `type ${id}`;

  // Numbers for people.
  const scaled = (value, units, step) => {
    let unit = 0;
    let left = Math.abs(value);
    for (; left >= step && unit + 1 < units.length; ++unit) left /= step;
    return `${+left.toFixed(unit === 0 || left >= 100 ? 0 : 1)} ${units[unit]}`;
  };
  const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const TIMES = ['ns', 'µs', 'ms', 's'];
  const size = bytes => bytes == null ? '' : scaled(bytes, SIZES, 1024);
  const time = ns => ns == null ? '' : ns === 0 ? '0' : scaled(ns, TIMES, 1000);
  /// Along an axis all are in the unit that the greatest asks for, with as many digits as tell them apart.
  const inOneUnit = (units, step) => (_, splits) => {
    let unit = 0;
    let one = 1;
    for (; Math.max(...splits) >= one * step && unit + 1 < units.length; ++unit) one *= step;
    return splits.map(value => value === 0 ? '0' : `${+(value / one).toFixed(6)} ${units[unit]}`);
  };
  const count = number => number ? String(number) : '';

  let style;
  const ink = name => style.getPropertyValue(`--${name}`).trim();
  const hue = index => ink(index < MAIN_TYPES ? `c${index}` : 'rest');
  const faded = (colour, share) => `color-mix(in srgb, ${colour} ${100 * share}%, transparent)`;

  /// Charts that are on the page, by the name of their place.
  const shown = new Map();

  const axis = more => ({
    stroke: ink('faint'), grid: {stroke: ink('grid'), width: 1}, ticks: {stroke: ink('grid'), width: 1}, font: '12px system-ui, sans-serif',
    labelFont: '12px system-ui, sans-serif', labelSize: 18, ...more,
  });
  const powersOfTwo = Array.from({length: 50}, (_, i) => 2 ** i);
  const timeAxis = () => axis({label: 'Time since the heap was made', values: inOneUnit(TIMES, 1000), space: 72, size: 34});
  const sizeAxis = label => axis({label, size: 66, incrs: powersOfTwo, values: inOneUnit(SIZES, 1024)});
  const timeSeries = {label: 'After', value: (_, ns) => time(ns)};

  function put(name, height, options, data) {
    const place = document.getElementById(`chart-${name}`);
    if (!place) return;
    shown.get(name)?.destroy();
    shown.set(name, new uPlot({width: Math.max(place.clientWidth, 200), height, ...options}, data, place));
  }
  function putOverTime(name, height, options, data) {
    put(name, height, {...options, scales: {x: {time: false}, ...options.scales}, cursor: {sync: {key: 'time'}, drag: {x: true, y: false}, ...options.cursor}}, data);
  }

  function memory() {
    const xs = [0];
    const used = [0], live = [0], committed = [null], resident = [null], external = [null];
    const add = (x, ...values) => {
      xs.push(x);
      [used, live, committed, resident, external].forEach((line, i) => line.push(values[i] ?? null));
    };
    for (const row of collections) {
      add(row.begin_ns, row.used_before);
      add(row.end_ns, row.live_after, row.live, row.committed, row.resident, row.external);
    }
    add(end, record.stats.used, null, record.stats.committed, null, record.stats.external);
    const lastKnown = (u, _, series, i) => i == null ? '–' : size(u.data[series].slice(0, i + 1).filter(bytes => bytes != null).pop()) || '–';
    const line = (label, colour, more) => ({label, stroke: colour, width: 1.5, spanGaps: true, points: {show: false}, value: lastKnown, ...more});
    const stepped = uPlot.paths.stepped({align: 1});
    const series = [timeSeries, line('Used', hue(0), {fill: faded(hue(0), 0.12)}), line('Live', hue(2), {width: 2}), line('Committed', hue(1), {paths: stepped}),
                    line('Resident', hue(3), {paths: stepped, dash: [5, 4]})];
    const data = [xs, used, live, committed, resident];
    if (external.some(bytes => bytes > 0)) {
      series.push(line('External', hue(6), {paths: stepped}));
      data.push(external);
    }
    putOverTime('memory', 300, {series, axes: [timeAxis(), sizeAxis('Bytes')], scales: {y: {range: (_, min, max) => [0, (max || 1) * 1.05]}}, hooks: {draw: [markRefusal]}}, data);
  }

  function markRefusal(u) {
    if (record.first_refusal_ns == null) return;
    const x = u.valToPos(record.first_refusal_ns, 'x', true);
    const {left, top, width, height} = u.bbox;
    if (x < left || x > left + width) return;
    const onRight = x < left + width / 2;
    u.ctx.save();
    u.ctx.strokeStyle = u.ctx.fillStyle = ink('c5');
    u.ctx.lineWidth = 2 * devicePixelRatio;
    u.ctx.setLineDash([]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, top);
    u.ctx.lineTo(x, top + height);
    u.ctx.stroke();
    u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    u.ctx.textAlign = onRight ? 'left' : 'right';
    const [text, edge, line] = ['first refusal', x + (onRight ? 5 : -5) * devicePixelRatio, 18 * devicePixelRatio];
    const wide = u.ctx.measureText(text).width + 6 * devicePixelRatio;
    const low = top + height / 3;
    u.ctx.fillStyle = ink('card');
    u.ctx.fillRect(onRight ? edge : edge - wide, low, wide, line);
    u.ctx.fillStyle = ink('c5');
    u.ctx.fillText(text, edge + (onRight ? 3 : -3) * devicePixelRatio, low + 13 * devicePixelRatio);
    u.ctx.restore();
  }

  // The types with the most bytes at any moment, the largest first: each has a colour of its own.
  const mostOf = new Map();
  for (const moment of moments) {
    for (const [type, , bytes] of moment.census) mostOf.set(type, Math.max(mostOf.get(type) ?? 0, bytes));
  }
  const mainTypes = [...mostOf.keys()].sort((a, b) => mostOf.get(b) - mostOf.get(a)).slice(0, MAIN_TYPES);
  const rankOf = type => {
    const rank = mainTypes.indexOf(type);
    return rank < 0 ? MAIN_TYPES : rank;
  };

  // Each moment is shown where it is the nearest.
  const edges = moments.map((moment, i) => i === 0 ? 0 : (moments[i - 1].at_ns + moment.at_ns) / 2).concat(end);
  let byType = true;

  function drawStrip(u) {
    const {ctx, bbox} = u;
    const x = value => Math.round(u.valToPos(value, 'x', true));
    const y = value => Math.round(u.valToPos(value, 'y', true));
    const colours = Array.from({length: MAIN_TYPES + 1}, (_, i) => hue(i));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    moments.forEach((moment, i) => {
      const left = x(edges[i]);
      const width = Math.max(x(edges[i + 1]) - left, 1);
      ctx.globalAlpha = 1;
      ctx.fillStyle = ink('grid');
      ctx.fillRect(left, y(moment.capacity), width, y(0) - y(moment.capacity));
      moment.strip.forEach((live, cell) => {
        if (live === 0) return;
        const bottom = y(cell * moment.cell_bytes);
        const top = y(Math.min((cell + 1) * moment.cell_bytes, moment.capacity));
        ctx.globalAlpha = 0.2 + 0.8 * Math.min(live / moment.cell_bytes, 1);
        ctx.fillStyle = byType ? colours[rankOf(moment.strip_types[cell])] : colours[0];
        ctx.fillRect(left, top, width, Math.max(bottom - top, 1));
      });
    });
    ctx.restore();
    markRefusal(u);
  }

  function tellCell(u) {
    const readout = document.getElementById('strip-readout');
    const {left, top} = u.cursor;
    if (left == null || left < 0 || top < 0) {
      readout.textContent = '';
      return;
    }
    const at = u.posToVal(left, 'x');
    const index = edges.findIndex((edge, i) => i > 0 && at < edge) - 1;
    const moment = moments[index < 0 ? moments.length - 1 : index];
    const cell = Math.floor(u.posToVal(top, 'y') / moment.cell_bytes);
    const live = moment.strip[cell];
    const where = `${time(moment.at_ns)}, from ${size(cell * moment.cell_bytes)} on`;
    readout.textContent = live == null || cell < 0 ? `${time(moment.at_ns)}: beyond the heap`
      : live === 0 ? `${where}: ${size(moment.cell_bytes)} free`
      : `${where}: ${size(live)} of ${size(moment.cell_bytes)} live, most of it ${typeName(moment.strip_types[cell])}`;
  }

  function keysOf(place, names) {
    place.replaceChildren(...names.map(([name, colour]) => {
      const key = document.createElement('span');
      key.textContent = name;
      key.style.setProperty('--key', colour);
      return key;
    }));
  }

  function strip() {
    if (moments.length === 0) return;
    const greatest = Math.max(...moments.map(moment => moment.capacity));
    putOverTime('strip', 340, {
      series: [timeSeries, {paths: () => null, points: {show: false}}], legend: {show: false}, axes: [timeAxis(), sizeAxis('Place in the arena')],
      scales: {y: {range: () => [0, greatest]}}, hooks: {draw: [drawStrip], setCursor: [tellCell]}, cursor: {points: {show: false}},
    }, [[0, end], [0, greatest]]);
    const names = byType ? mainTypes.map((type, rank) => [typeName(type), hue(rank)]) : [['live', hue(0)]];
    if (byType && mostOf.size > MAIN_TYPES) names.push(['other types', hue(MAIN_TYPES)]);
    keysOf(document.getElementById('strip-keys'), names.concat([['free', ink('grid')]]));
  }

  function stripChoice() {
    const place = document.getElementById('strip-choice');
    if (!place) return;
    for (const [text, value] of [['Colours by type', true], ['How full alone', false]]) {
      const label = document.createElement('label');
      const input = Object.assign(document.createElement('input'), {type: 'radio', name: 'strip', checked: value === byType});
      input.addEventListener('change', () => {
        byType = value;
        strip();
      });
      label.append(input, ` ${text}`);
      place.append(label);
    }
  }

  function pauses() {
    if (stops.length === 0) return;
    const names = Object.keys(KINDS);
    const kindOfLongest = new Map(rowsOf(record.stops.longest).map(row => [row.begin_ns, names[row.kind]]));
    const kindOf = row => {
      const present = names.filter(name => row[name] > 0);
      return present.length === 1 ? present[0] : kindOfLongest.get(row.longest_begin_ns) ?? 'several';
    };
    const found = stops.map(kindOf);
    const lines = [...names, 'several'].filter(name => found.includes(name));
    const pad = values => [null, ...values, null];
    const longest = stops.map(row => Math.max(row.longest_ns, 1));
    const range = [10 ** Math.floor(Math.log10(Math.min(...longest))), 10 ** Math.ceil(Math.log10(Math.max(...longest) + 1))];
    putOverTime('pauses', 280, {
      series: [timeSeries, ...lines.map(name => {
        const colour = name === 'several' ? ink('rest') : hue(names.indexOf(name));
        return {label: KINDS[name] ?? 'of several kinds', stroke: colour, paths: () => null, points: {show: true, size: 5, width: 1, stroke: colour, fill: faded(colour, 0.4)},
                value: (_, ns) => time(ns) || '–'};
      })],
      axes: [timeAxis(), axis({label: 'Length, logarithmic', size: 66, values: (_, splits) => splits.map(time)})],
      scales: {y: {distr: 3, range: () => range}},
    }, [[0, ...stops.map(row => row.longest_begin_ns), end], ...lines.map(name => pad(longest.map((ns, i) => found[i] === name ? ns : null)))]);
  }

  /// Bars beside each other or, where `stacked`, on each other. A group has `label`, `values`, `colour`.
  function bars(name, labels, groups, {stacked = false, xLabel, yAxis, top, text}) {
    const sums = labels.map((_, x) => groups.reduce((sum, group) => sum + group.values[x], 0));
    // On each other, the highest is painted first. Nothing has no bar.
    const heights = groups.map((group, i) => group.values.map((value, x) => value === 0 ? null
      : stacked ? groups.slice(0, i + 1).reduce((sum, below) => sum + below.values[x], 0) : value));
    if (stacked) {
      heights.reverse();
      groups = groups.slice().reverse();
    }
    const sizes = !stacked && groups.length > 1 ? [0.4, 60] : [0.75, 90];
    const alignOf = i => stacked || groups.length === 1 ? 0 : i === 0 ? -1 : 1;
    const highest = Math.max(...heights.flat(), 0);
    const writesTops = stacked || groups.length === 1;
    const writeTops = u => {
      u.ctx.save();
      u.ctx.fillStyle = ink('ink');
      u.ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      u.ctx.textAlign = 'center';
      labels.forEach((_, x) => {
        const value = sums[x];
        u.ctx.fillText(text(value), u.valToPos(x, 'x', true), u.valToPos(value, 'y', true) - 4 * devicePixelRatio);
      });
      u.ctx.restore();
    };
    put(name, 260, {
      series: [{label: xLabel, value: (_, x) => labels[x] ?? '–'}, ...groups.map((group, i) => ({
        label: group.label, stroke: group.colour, fill: group.colour, width: 1, points: {show: false},
        paths: uPlot.paths.bars({size: sizes, align: alignOf(i)}), value: (u, _, series, x) => x == null ? '–' : text(group.values[x]),
      }))],
      scales: {x: {time: false, range: () => [-0.6, labels.length - 0.4]}, y: {range: () => [0, top ?? (highest || 1) * 1.12]}},
      axes: [axis({
        label: xLabel, size: 34, grid: {show: false}, splits: () => labels.map((_, x) => x),
        values: u => {
          const step = Math.ceil(labels.length * 58 / Math.max(u.width - 80, 1));
          return labels.map((label, x) => x % step === 0 ? label : '');
        },
      }), yAxis],
      cursor: {drag: {x: false, y: false}, points: {show: false}}, hooks: writesTops ? {draw: [writeTops]} : {},
    }, [labels.map((_, x) => x), ...heights]);
  }

  /// The bounds of what is not zero in any of the arrays.
  function filled(arrays) {
    const places = arrays.flatMap(values => values.flatMap((value, i) => value > 0 ? [i] : []));
    return places.length === 0 ? [0, -1] : [Math.min(...places), Math.max(...places)];
  }

  function lengths() {
    const kinds = Object.entries(record.stops.kinds).filter(([, kind]) => kind.count > 0);
    if (kinds.length === 0) return;
    const [first, last] = filled(kinds.map(([, kind]) => kind.lengths));
    const labels = [];
    for (let i = first; i <= last; ++i) labels.push(time(1000 * 2 ** i));
    const names = Object.keys(KINDS);
    bars('lengths', labels, kinds.map(([name, kind]) => ({label: KINDS[name], values: kind.lengths.slice(first, last + 1), colour: hue(names.indexOf(name))})), {
      stacked: true, xLabel: 'Shorter than', yAxis: axis({label: 'Stops', size: 56, incrs: [1, 2, 5, 10, 20, 50].concat(Array.from({length: 12}, (_, i) => 10 ** (i + 2)))}), text: count,
    });
  }

  function utilisation() {
    const spans = [1, 5, 10, 50];
    const values = spans.map(span => 100 * record.utilisation[`in_${span}_ms`]);
    const percent = value => `${Math.round(value * 10) / 10} %`;
    bars('utilisation', spans.map(span => `${span} ms`), [{label: 'Left to the program', values, colour: hue(2)}], {
      xLabel: 'Span', yAxis: axis({label: 'Least share left', size: 56, values: (_, splits) => splits.map(percent)}), top: 110, text: percent,
    });
  }

  function census() {
    if (moments.length === 0) return;
    const xs = [0, ...moments.map(moment => moment.at_ns)];
    const bytesOf = moment => {
      const sums = new Array(MAIN_TYPES + 1).fill(0);
      for (const [type, , bytes] of moment.census) sums[rankOf(type)] += bytes;
      sums[MAIN_TYPES] += moment.other_bytes;
      return sums;
    };
    const table = [new Array(MAIN_TYPES + 1).fill(0), ...moments.map(bytesOf)];
    const ranks = mainTypes.map((_, rank) => rank);
    if (table.some(sums => sums[MAIN_TYPES] > 0)) ranks.push(MAIN_TYPES);
    const upTo = rank => table.map(sums => sums.slice(0, rank + 1).reduce((a, b) => a + b, 0));
    // The whole first, so that the parts are painted over it.
    ranks.reverse();
    putOverTime('census', 280, {
      series: [timeSeries, ...ranks.map(rank => ({
        label: rank === MAIN_TYPES ? 'other types' : typeName(mainTypes[rank]), stroke: hue(rank), fill: hue(rank), width: 1,
        points: {show: moments.length < 3}, value: (u, _, series, i) => i == null ? '–' : size(table[i][rank]),
      }))],
      axes: [timeAxis(), sizeAxis('Bytes')], scales: {y: {range: (_, min, max) => [0, (max || 1) * 1.05]}},
    }, [xs, ...ranks.map(upTo)]);
  }

  function holes() {
    if (moments.length === 0) return;
    const last = moments[moments.length - 1];
    const fullest = moments.reduce((a, b) => b.live_bytes > a.live_bytes ? b : a);
    const looks = fullest === last ? [['At the last walk', last]] : [['At its fullest', fullest], ['At the last walk', last]];
    const [first, final] = filled(looks.map(([, moment]) => moment.holes.map(hole => hole[1])));
    if (final < first) return;
    const labels = [];
    for (let i = first; i <= final; ++i) labels.push(size(16 * 2 ** i));
    bars('holes', labels, looks.map(([label, moment], i) => ({
      label, colour: hue(i), values: Array.from({length: final - first + 1}, (_, k) => moment.holes[first + k]?.[1] ?? 0),
    })), {xLabel: 'Hole of at least', yAxis: sizeAxis('Bytes in such holes'), text: size});
  }

  function drawAll() {
    style = getComputedStyle(document.documentElement);
    for (const draw of [memory, strip, pauses, lengths, utilisation, census, holes]) draw();
  }

  stripChoice();
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  addEventListener('resize', () => {
    for (const [name, chart] of shown) {
      const width = document.getElementById(`chart-${name}`).clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({width, height: chart.height});
    }
  });
})();
