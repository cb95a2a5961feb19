/** True for http addresses of this very machine (127.0.0.0/8, ::1, localhost). Every other address may be somebody else's. */
export function isLoopbackUrl(text: string): boolean {
  const found = /^https?:\/\/(\[[0-9a-fA-F:]+\]|[^/:?#@\s]+)(:\d{1,5})?(?=[/?#]|$)/.exec(text);
  const host = found?.[1]?.toLowerCase();
  if (host === undefined) return false;
  return host === 'localhost' || host === '[::1]' || /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.test(host);
}

/** Every IPv4 address outside 127.0.0.0/8 and every assigned IPv6 range: k6 is told never to call them. */
export const NOT_THIS_MACHINE: readonly string[] = [
  '0.0.0.0/2',
  '64.0.0.0/3',
  '96.0.0.0/4',
  '112.0.0.0/5',
  '120.0.0.0/6',
  '124.0.0.0/7',
  '126.0.0.0/8',
  '128.0.0.0/1',
  '2000::/3',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
];
