// What every console page gains from a script. Without it everything still works.
(() => {
  const dates = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' }).formatToParts().find((part) => part.type === 'timeZoneName')?.value ?? '';

  /** Times are written in UTC by the server; here they become the reader's own. */
  const localTimes = (root) => {
    for (const element of root.querySelectorAll('time[datetime]:not([data-local])')) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      element.title = `${at.toISOString().slice(0, 19)} UTC`;
      element.textContent = `${dates.format(at)}${zone && !/^GMT(\+0)?$/.test(zone) ? ` (${zone})` : ' UTC'}`;
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

  // A second press within three seconds is a slip, not a second wish.
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
  document.addEventListener('htmx:after:swap', () => localTimes(document));
  const start = () => {
    localTimes(document);
    document.getElementById('errors')?.focus();
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
