// The share page works without this: it adds the phone's own share sheet, push, and an honest count of people.
const page = document.querySelector('[data-share]');
const { share: path, nonce, vapid, title } = page.dataset;

// A visit is a person who has looked at the page for a second. The look of whoever shares it (#mine) is none.
let counted = location.hash === '#mine';
const count = () => {
  if (counted || document.visibilityState !== 'visible') return;
  counted = true;
  fetch(`${path}/seen`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ nonce }), keepalive: true }).catch(
    () => undefined,
  );
};
const soon = () => setTimeout(count, 1000);
document.addEventListener('visibilitychange', soon);
soon();

const url = new URL(path, location.href).href;
const shareButton = document.querySelector('#share');
if (navigator.share) {
  shareButton.hidden = false;
  shareButton.addEventListener('click', () => {
    navigator.share({ title, url }).catch(() => undefined);
  });
} else if (navigator.clipboard) {
  shareButton.hidden = false;
  shareButton.addEventListener('click', () => {
    navigator.clipboard.writeText(url).then(
      () => shareButton.append(' ✓'),
      () => undefined,
    );
  });
}

const pushButton = document.querySelector('#push');
const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

const joinByPush = async () => {
  if ((await Notification.requestPermission()) !== 'granted') return false;
  const worker = await navigator.serviceWorker.register('/sw.js');
  await navigator.serviceWorker.ready;
  const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(vapid) });
  const sent = await fetch(`${path}/join`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ nonce, subscription: subscription.toJSON(), locale: navigator.language }),
  });
  return sent.ok;
};
if (pushButton && vapid && 'serviceWorker' in navigator && 'PushManager' in window) {
  pushButton.hidden = false;
  pushButton.addEventListener('click', () => {
    pushButton.disabled = true;
    void joinByPush()
      .catch(() => false)
      .then((joined) => {
        document.querySelector('#push-done').hidden = !joined;
        document.querySelector('#push-failed').hidden = joined;
        pushButton.hidden = joined;
        pushButton.disabled = false;
      });
  });
}
