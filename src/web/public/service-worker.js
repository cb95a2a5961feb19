// Shows what was pushed, says that it was shown, and sends an answer tapped on the notification.
// The payload has the shape of Declarative Web Push: browsers that know it need no worker at all.

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

const read = (data) => {
  try {
    return data?.json()?.notification;
  } catch {
    return undefined;
  }
};

const report = (url) => (url ? fetch(url, { method: 'POST', credentials: 'omit', keepalive: true }).catch(() => undefined) : undefined);

self.addEventListener('push', (event) => {
  const given = read(event.data);
  if (!given) return;
  const { title, body, lang, tag, actions = [], data = {} } = given;
  const shown = self.registration.showNotification(title, {
    body,
    lang,
    tag,
    dir: 'auto',
    renotify: false,
    icon: '/icon.svg',
    actions,
    data: { ...data, title, body },
  });
  event.waitUntil(shown.then(() => report(data.beacon)));
});

// The answer page gives a nonce and takes the answer, as it does for a person who presses a button there.
const answer = async (link, key) => {
  const page = await fetch(link, { headers: { Accept: 'application/json' }, credentials: 'omit' });
  if (!page.ok) return false;
  const { nonce } = await page.json();
  const sent = await fetch(link, {
    method: 'POST',
    headers: { Accept: 'application/json' },
    body: new URLSearchParams({ answer: key, nonce, way: 'push' }),
    credentials: 'omit',
  });
  return sent.ok;
};

self.addEventListener('notificationclick', (event) => {
  const { notification, action } = event;
  const { link, title } = notification.data ?? {};
  notification.close();
  if (!link) return;
  const openPage = () => self.clients.openWindow(link);
  if (!action) return event.waitUntil(openPage());
  const work = answer(link, action).catch(() => false);
  // An answer that could not be sent must not look sent: the page opens instead, where it can be pressed again.
  event.waitUntil(
    work.then((sent) =>
      sent ? self.registration.showNotification(title, { body: '✓', tag: notification.tag, silent: true, data: { link, title } }) : openPage(),
    ),
  );
});
