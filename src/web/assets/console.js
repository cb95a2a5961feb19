// What every console page gains from a script. Without it everything still works.
// A function surrounds the whole file, so that its names do not become the page's; hence its length.
(() => {
  // Times have 24 hours, as on radios and in logs, and the day only where it is not today.
  const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const seconds = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const dates = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

  /** Turns the times, which the server writes in UTC, into the reader's own. */
  const localTimes = (root) => {
    for (const element of root.querySelectorAll('time[datetime]:not([data-local])')) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      element.title = `${at.toISOString().slice(0, 19)} UTC`;
      element.textContent = (at.toDateString() === new Date().toDateString() ? clock : dates).format(at);
      // Here the seconds are shown, after the day where it is not today.
      if ('seconds' in element.dataset)
        element.textContent = (at.toDateString() === new Date().toDateString() ? '' : `${at.toDateString().slice(4, 10)}, `) + seconds.format(at);
      element.dataset.local = '';
    }
  };

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = 'Copied';
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (button) void copy(button);
  });

  // A second press within three seconds is a slip and not meant.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    const now = performance.now();
    if (form.method !== 'post' || form.dataset.repeat !== undefined) return;
    if (now - Number(form.dataset.sent ?? -1e9) < 3000) event.preventDefault();
    else form.dataset.sent = String(now);
  });

  // A page that comes back from the browser's cache may be sent again.
  addEventListener('pageshow', (event) => {
    if (event.persisted) for (const form of document.forms) delete form.dataset.sent;
  });
  /** The start in the composer is typed on the writer's own clock, so the form tells the server which clock that is. */
  const startZone = () => {
    const start = document.getElementById('start');
    const offset = document.getElementById('start-offset');
    const zone = document.getElementById('start-zone');
    if (!start || !offset || !zone) return;
    // A start that is already there is shown on the same clock.
    if (start.dataset.at) {
      const at = new Date(start.dataset.at);
      start.value = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    }
    const tell = () => {
      offset.value = String(new Date(start.value || Date.now()).getTimezoneOffset());
    };
    zone.textContent = `The time is in your own zone (${Intl.DateTimeFormat().resolvedOptions().timeZone}).`;
    // It listens in the capture phase, which comes before the preview reads the form.
    start.form.addEventListener('input', tell, true);
    tell();
  };

  document.addEventListener('htmx:after:swap', () => localTimes(document));
  const start = () => {
    localTimes(document);
    startZone();
    document.getElementById('errors')?.focus();
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
