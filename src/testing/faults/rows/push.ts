import type { Row } from '#testing/faults/row.ts';
import { carriers, trouble } from './provider.ts';

/** The trouble takes half as long as by SMS, since a campaign by push at 100 ms for each answer is shorter. */
const SECONDS = 30;
const half = (short: boolean): string => (short ? '3 s' : '30 s');

export const pushThrottles: Row = {
  name: 'push-429',
  about: 'the push service answers 429',
  run: (world, size) =>
    trouble(world, size, {
      injected: `push: 429 to all but 5 a second, ${half(size.short)}`,
      channel: 'push',
      seconds: SECONDS,
      begin: carriers({ push: { perSecond: 5, per: 'channel' } }),
    }),
};
export const pushErrors: Row = {
  name: 'push-503',
  about: 'the push service answers 503',
  run: (world, size) =>
    trouble(world, size, {
      injected: `push: 503 to every call, ${half(size.short)}`,
      channel: 'push',
      seconds: SECONDS,
      begin: carriers({ push: { errorShare: 1 } }),
    }),
};
export const pushSilent: Row = {
  name: 'push-silent',
  about: 'the push service takes calls and never answers',
  run: (world, size) =>
    trouble(world, size, {
      injected: `push: taken and never answered, ${half(size.short)}`,
      channel: 'push',
      seconds: SECONDS,
      begin: carriers({ push: { silentShare: 1 } }),
    }),
};
