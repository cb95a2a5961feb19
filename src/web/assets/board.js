// The live board's chart. Its points come from the numbers that the event stream writes into #tick.
// A function surrounds the whole file, so that its names do not become the page's; hence its length.
(() => {
  /** Seconds that the chart shows at most. */
  const KEEP = 600;
  /** Seconds over which a rate is taken. Events come four a second at most, and rates between two of them would be mere spikes. */
  const WINDOW = 3;
  const HEIGHT = 220;

  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

  /** A colour of the style sheet as the canvas takes it. The canvas does not know light-dark(), so an element resolves it. */
  const colourOf = (name, place) => {
    if (!getComputedStyle(document.documentElement).getPropertyValue(name).trim()) return '#888';
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    place.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };

  const chartOptions = (place) => {
    const axis = {
      stroke: colourOf('--soft', place),
      grid: { stroke: colourOf('--line', place), width: 1 },
      ticks: { stroke: colourOf('--line', place), width: 1 },
    };
    const line = (label, colour, more = {}) => ({ label, stroke: colourOf(colour, place), width: 2, points: { show: false }, ...more });
    return {
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { show: false },
      legend: { live: false },
      scales: { y: { range: (_, _low, high) => [0, Math.max(1, high * 1.1)] } },
      axes: [
        { ...axis, space: 90, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600], values: (_, splits) => splits.map((at) => clock.format(at * 1000)) },
        { ...axis, size: 52 },
      ],
      series: [{}, line('handed over per second', '--accent'), line('answers per second', '--good', { dash: [6, 4] })],
    };
  };

  /** Turns counts into rates: times, hand-overs a second, answers a second. */
  const createRates = () => {
    const seen = [];
    const data = [[], [], []];
    const add = (now) => {
      seen.push(now);
      while (seen.length > 2 && seen[1].at <= now.at - WINDOW) seen.shift();
      const [first] = seen;
      const seconds = now.at - first.at;
      if (seconds < 0.9) return false;
      data[0].push(now.at);
      data[1].push(Math.max(0, (now.sent - first.sent) / seconds));
      data[2].push(Math.max(0, (now.answered - first.answered) / seconds));
      for (const series of data) if (series.length > KEEP) series.shift();
      return true;
    };
    return { data, add };
  };

  const drawChart = (tick, place) => {
    const read = () => ({ at: Number(tick.dataset.at) / 1000, sent: Number(tick.dataset.sent), answered: Number(tick.dataset.answered) });
    const { data, add } = createRates();
    let plot;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(chartOptions(place), data, place);
    };
    // The server's time at the last event goes on by this machine's own clock, so that rates fall to zero when nothing happens.
    let offset = read().at - performance.now() / 1000;
    const step = () => {
      if (!add({ ...read(), at: performance.now() / 1000 + offset })) return;
      // A page where nothing has moved yet needs no empty chart.
      if (!plot && !data[1].some(Boolean) && !data[2].some(Boolean)) return;
      if (data[0].length < 2) return;
      document.getElementById('chart-card').hidden = false;
      if (plot) plot.setData(data);
      else draw();
    };
    new MutationObserver(() => {
      offset = Math.max(offset, read().at - performance.now() / 1000);
    }).observe(tick, { attributes: true });
    step();
    setInterval(step, 1000);
    addEventListener('resize', () => plot?.setSize({ width: place.clientWidth, height: HEIGHT }));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot && draw());
  };

  /** Screen readers hear every twenty seconds how things stand, and not every change. */
  const speak = () => {
    const spoken = document.getElementById('spoken');
    setInterval(() => {
      const summary = document.getElementById('summary-line')?.textContent?.trim();
      if (spoken && summary && spoken.textContent !== summary) spoken.textContent = summary;
    }, 20_000);
  };

  /** Says when the numbers may be old, and leads to the sign-in page when the session has ended. */
  const watchConnection = (live) => {
    const connection = document.getElementById('connection');
    live.addEventListener('htmx:sse:error', (event) => {
      if (event.detail?.status === 401) location.assign('/sign-in?ended=1');
      else if (connection) connection.hidden = false;
    });
    live.addEventListener('htmx:sse:after:connection', () => connection && (connection.hidden = true));
  };

  const start = () => {
    const tick = document.getElementById('tick');
    const place = document.getElementById('chart');
    const live = document.getElementById('live');
    if (!tick || !place || !live || !globalThis.uPlot) return;
    drawChart(tick, place);
    speak();
    watchConnection(live);
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
