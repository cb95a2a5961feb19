import { pageLanguage } from './words.ts';

/** Words of the share, confirmation and unsubscribe pages, and of the confirmation mail. */
export interface ShareWords {
  readonly share: string;
  readonly scan: string;
  readonly join: string;
  readonly joinWhy: (tenant: string) => string;
  readonly byText: string;
  readonly textTo: string;
  readonly byMail: string;
  readonly mailHint: string;
  readonly send: string;
  readonly byPush: string;
  readonly pushDone: string;
  readonly pushFailed: string;
  readonly checkMail: string;
  readonly consent: string;
  readonly life: string;
  readonly ops: string;
  readonly bulk: string;
  readonly badMail: string;
  /** Said when the form's nonce had grown old, so that nothing came of it. */
  readonly tooOld: string;
  readonly confirm: (tenant: string) => string;
  readonly confirmed: (tenant: string) => string;
  readonly confirmButton: string;
  readonly unsubscribe: (tenant: string) => string;
  readonly unsubscribeButton: string;
  readonly unsubscribed: (tenant: string) => string;
  readonly mailSubject: (tenant: string) => string;
  readonly mailText: (tenant: string, link: string) => string;
}

const en: ShareWords = {
  share: 'Share',
  scan: 'Or let somebody scan this',
  join: 'Get the next message yourself',
  joinWhy: (tenant) => `Join ${tenant}. You can only add yourself, and you can leave at any time.`,
  byText: 'By text message',
  textTo: 'Text this from your phone:',
  byMail: 'By e-mail',
  mailHint: 'Your own e-mail address',
  send: 'Send me a confirmation',
  byPush: 'By notification on this device',
  pushDone: 'Done. Messages will be shown on this device.',
  pushFailed: 'That did not work on this device. Choose another way, or allow notifications in your browser and try again.',
  checkMail: 'If this address can be added, a mail is on its way to it. Open the link in it to confirm.',
  consent: 'What may be sent to you',
  life: 'Warnings about life and safety',
  ops: 'Calls to help, and what to do',
  bulk: 'News and campaigns',
  badMail: 'That is not an e-mail address such as ann@example.org.',
  tooOld: 'This page had grown too old, so nothing was done. Please press the button once more.',
  confirm: (tenant) => `Do you want messages from ${tenant} at this e-mail address?`,
  confirmed: (tenant) => `Done. You have joined ${tenant}.`,
  confirmButton: 'Yes, I join',
  unsubscribe: (tenant) => `Do you want no more of these messages from ${tenant}?`,
  unsubscribeButton: 'Unsubscribe',
  unsubscribed: (tenant) => `Done. You get no more of these messages from ${tenant}.`,
  mailSubject: (tenant) => `Confirm that you join ${tenant}`,
  mailText: (tenant, link) =>
    `Somebody, probably you, asked for messages from ${tenant} at this address.\n\nTo confirm, open this link and press the button:\n${link}\n\nIf it was not you, do nothing: nobody is added and no more mail comes.\n`,
};

const de: ShareWords = {
  share: 'Teilen',
  scan: 'Oder jemanden scannen lassen',
  join: 'Die nächste Nachricht selbst erhalten',
  joinWhy: (tenant) => `Bei ${tenant} mitmachen. Sie können nur sich selbst eintragen und jederzeit gehen.`,
  byText: 'Per SMS',
  textTo: 'Senden Sie dies von Ihrem Telefon:',
  byMail: 'Per E-Mail',
  mailHint: 'Ihre eigene E-Mail-Adresse',
  send: 'Bestätigung anfordern',
  byPush: 'Als Benachrichtigung auf diesem Gerät',
  pushDone: 'Fertig. Nachrichten erscheinen auf diesem Gerät.',
  pushFailed:
    'Das ging auf diesem Gerät nicht. Wählen Sie einen anderen Weg, oder erlauben Sie Benachrichtigungen im Browser und versuchen Sie es noch einmal.',
  checkMail: 'Wenn diese Adresse eingetragen werden kann, ist eine E-Mail unterwegs. Öffnen Sie den Link darin, um zu bestätigen.',
  consent: 'Was Ihnen gesendet werden darf',
  life: 'Warnungen vor Gefahr für Leib und Leben',
  ops: 'Hilferufe und was zu tun ist',
  bulk: 'Neues und Kampagnen',
  badMail: 'Das ist keine E-Mail-Adresse wie ann@example.org.',
  tooOld: 'Diese Seite war zu alt, also wurde nichts getan. Bitte drücken Sie den Knopf noch einmal.',
  confirm: (tenant) => `Möchten Sie Nachrichten von ${tenant} an diese E-Mail-Adresse?`,
  confirmed: (tenant) => `Fertig. Sie sind bei ${tenant} dabei.`,
  confirmButton: 'Ja, ich mache mit',
  unsubscribe: (tenant) => `Möchten Sie diese Nachrichten von ${tenant} nicht mehr erhalten?`,
  unsubscribeButton: 'Abbestellen',
  unsubscribed: (tenant) => `Fertig. Sie erhalten diese Nachrichten von ${tenant} nicht mehr.`,
  mailSubject: (tenant) => `Bitte bestätigen: Nachrichten von ${tenant}`,
  mailText: (tenant, link) =>
    `Jemand, vermutlich Sie, hat Nachrichten von ${tenant} an diese Adresse gewünscht.\n\nZum Bestätigen öffnen Sie diesen Link und drücken den Knopf:\n${link}\n\nWaren Sie es nicht, tun Sie nichts: niemand wird eingetragen.\n`,
};

const fr: ShareWords = {
  share: 'Partager',
  scan: 'Ou faites scanner ceci',
  join: 'Recevez vous-même le prochain message',
  joinWhy: (tenant) => `Rejoignez ${tenant}. Vous ne pouvez inscrire que vous-même, et partir quand vous voulez.`,
  byText: 'Par SMS',
  textTo: 'Envoyez ceci depuis votre téléphone :',
  byMail: 'Par e-mail',
  mailHint: 'Votre propre adresse e-mail',
  send: 'Recevoir une confirmation',
  byPush: 'Par notification sur cet appareil',
  pushDone: "C'est fait. Les messages s'afficheront sur cet appareil.",
  pushFailed: 'Cela n’a pas marché sur cet appareil. Choisissez un autre moyen, ou autorisez les notifications dans le navigateur et réessayez.',
  checkMail: "Si cette adresse peut être ajoutée, un e-mail est en route. Ouvrez le lien qu'il contient pour confirmer.",
  consent: 'Ce qui peut vous être envoyé',
  life: 'Alertes de sécurité',
  ops: "Appels à l'aide et consignes",
  bulk: 'Nouvelles et campagnes',
  badMail: "Ce n'est pas une adresse e-mail comme ann@example.org.",
  tooOld: "Cette page était trop ancienne, et rien n'a été fait. Appuyez encore une fois sur le bouton.",
  confirm: (tenant) => `Voulez-vous recevoir les messages de ${tenant} à cette adresse ?`,
  confirmed: (tenant) => `C'est fait. Vous avez rejoint ${tenant}.`,
  confirmButton: 'Oui, je participe',
  unsubscribe: (tenant) => `Ne voulez-vous plus recevoir ces messages de ${tenant} ?`,
  unsubscribeButton: 'Se désabonner',
  unsubscribed: (tenant) => `C'est fait. Vous ne recevrez plus ces messages de ${tenant}.`,
  mailSubject: (tenant) => `Confirmez votre inscription à ${tenant}`,
  mailText: (tenant, link) =>
    `Quelqu'un, sans doute vous, a demandé les messages de ${tenant} à cette adresse.\n\nPour confirmer, ouvrez ce lien et appuyez sur le bouton :\n${link}\n\nSi ce n'était pas vous, ne faites rien : personne n'est inscrit.\n`,
};

const es: ShareWords = {
  share: 'Compartir',
  scan: 'O deje que alguien escanee esto',
  join: 'Reciba usted el próximo mensaje',
  joinWhy: (tenant) => `Únase a ${tenant}. Solo puede apuntarse usted mismo y puede irse cuando quiera.`,
  byText: 'Por SMS',
  textTo: 'Envíe esto desde su teléfono:',
  byMail: 'Por correo',
  mailHint: 'Su propio correo electrónico',
  send: 'Enviarme una confirmación',
  byPush: 'Con notificaciones en este dispositivo',
  pushDone: 'Listo. Los mensajes aparecerán en este dispositivo.',
  pushFailed: 'No funcionó en este dispositivo. Elija otro medio, o permita las notificaciones en el navegador e inténtelo de nuevo.',
  checkMail: 'Si esta dirección se puede añadir, un correo va en camino. Abra su enlace para confirmar.',
  consent: 'Qué se le puede enviar',
  life: 'Avisos de seguridad',
  ops: 'Llamadas de ayuda e indicaciones',
  bulk: 'Noticias y campañas',
  badMail: 'Eso no es una dirección de correo como ann@example.org.',
  tooOld: 'Esta página era demasiado antigua y no se hizo nada. Pulse el botón otra vez.',
  confirm: (tenant) => `¿Quiere recibir mensajes de ${tenant} en este correo?`,
  confirmed: (tenant) => `Listo. Se ha unido a ${tenant}.`,
  confirmButton: 'Sí, me uno',
  unsubscribe: (tenant) => `¿No quiere recibir más mensajes como este de ${tenant}?`,
  unsubscribeButton: 'Darse de baja',
  unsubscribed: (tenant) => `Listo. No recibirá más mensajes como este de ${tenant}.`,
  mailSubject: (tenant) => `Confirme que se une a ${tenant}`,
  mailText: (tenant, link) =>
    `Alguien, probablemente usted, pidió mensajes de ${tenant} en esta dirección.\n\nPara confirmar, abra este enlace y pulse el botón:\n${link}\n\nSi no fue usted, no haga nada: no se apunta a nadie.\n`,
};

const CATALOGUE: Readonly<Record<string, ShareWords>> = { en, de, fr, es };

export const shareWords = (locale: string): ShareWords => CATALOGUE[pageLanguage(locale)] ?? en;
