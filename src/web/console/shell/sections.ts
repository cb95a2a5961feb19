import type { Scope } from '#services/context.ts';

/** The parts of the console, in the order of its navigation. Their pages are listed in sections.ts one folder above. */
export const SECTIONS = {
  overview: { path: '/', label: 'Overview', scope: 'read' },
  messages: { path: '/messages', label: 'Messages', scope: 'read' },
  recipients: { path: '/people', label: 'People', scope: 'read' },
  settings: { path: '/settings', label: 'Settings', scope: 'read' },
} as const satisfies Readonly<Record<string, { readonly path: string; readonly label: string; readonly scope: Scope }>>;

export type Section = keyof typeof SECTIONS;
