import { composePages } from '#web/console/messages/compose-pages.ts';
import { correctPages } from '#web/console/messages/correct-pages.ts';
import { listPages } from '#web/console/messages/list-pages.ts';
import { messagePages } from '#web/console/messages/message-pages.ts';
import { settingsPages } from '#web/console/organisation/settings-page.ts';
import { stopPages } from '#web/console/organisation/stop-pages.ts';
import { importPages } from '#web/console/recipients/import-pages.ts';
import { recipientPages } from '#web/console/recipients/recipient-pages.ts';
import type { Page, Pages } from '#web/console/shell/pages.ts';
import type { Section } from '#web/console/shell/sections.ts';
import { overviewPages } from './overview-page.ts';

/** The pages of each section. A fixed address comes before one with a parameter in its place: the first that matches is shown. */
const PAGES: Readonly<Record<Section, readonly (() => Pages)[]>> = {
  overview: [overviewPages, stopPages],
  messages: [composePages, correctPages, listPages, messagePages],
  recipients: [importPages, recipientPages],
  settings: [settingsPages],
};

export const sectionPages = (): Page[] =>
  Object.values(PAGES)
    .flat()
    .flatMap((pages) => pages().list);
