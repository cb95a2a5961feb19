-- What a drill denies is read as a person reads it: look-alikes, accents, invisible characters and letters apart do not count,
-- and buttons and the organisation's name are looked at too (the mark asks for them itself).
-- Side by side: an old process goes on with the column denies_drill, which holds what the old function found when the row was
-- written; a new one asks the new function in each mark of a drill.

-- The same as foldWords in src/domain/message/drill-text.ts, but for marks of scripts that no denial is written in.
CREATE FUNCTION fold_words(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT btrim(regexp_replace(regexp_replace(regexp_replace(translate(
    lower(regexp_replace(normalize(p_text, NFKD),
      '[\u00ad\u0300-\u036f\u0483-\u0489\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff0-\ufff8\U0001d173-\U0001d17a\U000e0000-\U000e0fff]',
      '', 'g')),
    'аАбБвВеЕіІкКмМнНоОрРсСтТуУхХѕЅјЈԁԀгГԛԚԝԜαΑβΒεΕηΗιΙκΚμΜνΝοΟρΡτΤυΥχΧ013457',
    'aabbbbeeiikkmmhhooppccttyyxxssjjddrrqqwwaabbeenniikkmmvvooppttuuxxoieast'),
    '[''’ʼ`´]', '', 'g'), '[^a-z]+', ' ', 'g'), '(?<=(^| )[a-z]) (?=[a-z]( |$))', '', 'g')) $$;

-- The same list as DENIALS in src/domain/message/drill-text.ts.
CREATE OR REPLACE FUNCTION denies_drill(p_title text, p_text jsonb, p_said jsonb DEFAULT NULL) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT COALESCE(bool_or(public.fold_words(words) ~ concat('(^| )(', array_to_string(ARRAY[
    'not(?: just| only| really| simply| merely| even| another)*(?: part of)? (?:an?|any|the) (?:drill|exercise|test|rehearsal|simulation)',
    '(?:is|its|are) (?:not|no|never)(?: just| only| really)* (?:drill|exercise|test|rehearsal|simulation)',
    '(?:isn ?t|ain ?t|wasn ?t|isnt|aint|wasnt)(?: just| only| really| part of)*(?: an?| any| the)? (?:drill|exercise|test|rehearsal|simulation)',
    'no (?:drill|exercise)',
    'not an? ?drill',
    'nota?n?(?:drill|exercise)',
    'kein(?:e|er|en|em)?(?: blosse| reine)? (?:ubung|uebung|ubungsalarm|probe|probealarm|test|testalarm|fehlalarm)',
    'nicht (?:nur |bloss )?(?:eine?|um eine?) (?:ubung|uebung|probe|test)',
    '(?:nest|n est|cest|c est|est)? ?pas (?:qu )?(?:un|une|d) (?:simple )?(?:exercice|simulation|test|entrainement)',
    'no es (?:solo )?(?:un|una|ningun|ninguna|parte de un) (?:simulacro|ejercicio|prueba|ensayo)',
    'no es (?:simulacro|ejercicio|prueba)',
    'non e (?:un |una )?(?:esercitazione|unesercitazione|prova|simulazione|test)',
    'nao e (?:um |uma )?(?:exercicio|simulacro|simulado|teste|treino)',
    '(?:geen|niet een) (?:oefening|oefenalarm|test)'
  ], '|'), ')( |$)')), false)
  FROM (SELECT p_title AS words UNION ALL SELECT value FROM jsonb_each_text(p_text)
    UNION ALL SELECT w.value FROM jsonb_each(COALESCE(p_said, '{}')) l, jsonb_each_text(l.value) w) given $$;
