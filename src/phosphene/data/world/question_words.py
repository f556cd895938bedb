"""The wordings of questions and answers in English, Japanese and Hindi.

Blanks are filled with agreeing forms: ``{noun}``, ``{plural}`` and the Hindi oblique ``{oblique}``;
``{be}`` (*is* or *are*; い or あり for the living and the lifeless; है or हैं), the Hindi ``{of}``
(का, के, की), ``{doing}`` (रहा, रही) and ``{many}`` (कितने, कितनी).
"""

from __future__ import annotations

from typing import Final, Literal

from phosphene.data.world.lexicon import (
    HINDI,
    JAPANESE,
    KINDS,
    Relation,
    noun,
)

AnswerLanguage = Literal["en", "ja", "hi"]
Form = Literal[
    "held", "watched", "beside", "related", "shown", "who",
    "colour", "count", "where", "exists", "doing",
]  # fmt: skip

PARAPHRASES: Final[dict[Form, dict[AnswerLanguage, tuple[str, ...]]]] = {
    "held": {
        "en": (
            "what is the {noun} holding ?",
            "what does the {noun} have in the hands ?",
            "which thing does the {noun} hold ?",
            "what is held in the hands of the {noun} ?",
            "what is held by the {noun} ?",
            "what do you see in the hands of the {noun} ?",
            "which thing is held by the {noun} ?",
        ),
        "ja": (
            "{noun} は 何 を 持って い ます か",
            "{noun} が 持って いる 物 は 何 です か",
            "{noun} が 手 に 持って いる の は 何 です か",
            "{noun} は 手 に 何 を 持って い ます か",
            "{noun} が 持って いる の は 何 です か",
            "{noun} は 手 に どんな 物 を 持って い ます か",
            "{noun} の 手 に は 何 が あり ます か",
        ),
        "hi": (
            "{noun} क्या पकड़े हुए है ?",
            "{oblique} के हाथ में क्या है ?",
            "{oblique} ने हाथ में क्या पकड़ा है ?",
            "{oblique} के हाथ में कौन सी चीज़ है ?",
            "{oblique} ने कौन सी चीज़ पकड़ी है ?",
            "{oblique} के हाथ में क्या दिखता है ?",
            "{oblique} ने क्या पकड़ा है ?",
        ),
    },
    "watched": {
        "en": (
            "what is the {noun} looking at ?",
            "which thing does the {noun} look at ?",
            "what does the {noun} see ?",
            "which thing is looked at by the {noun} ?",
            "what does the {noun} look at ?",
            "what is looked at by the {noun} ?",
            "what is seen by the {noun} ?",
        ),
        "ja": (
            "{noun} は 何 を 見て い ます か",
            "{noun} が 見て いる 物 は 何 です か",
            "{noun} が 見て いる の は 何 です か",
            "{noun} の 目 に は 何 が 見え ます か",
            "{noun} は どんな 物 を 見て い ます か",
            "{noun} が 見て いる の は どんな 物 です か",
            "{noun} に は 何 が 見え ます か",
        ),
        "hi": (
            "{noun} क्या देख {doing} है ?",
            "{noun} किसे देख {doing} है ?",
            "{noun} किस चीज़ को देख {doing} है ?",
            "{oblique} को सामने क्या दिखता है ?",
            "{noun} कौन सी चीज़ देख {doing} है ?",
            "{oblique} के सामने क्या दिखता है ?",
            "{oblique} के सामने क्या है ?",
        ),
    },
    "beside": {
        "en": (
            "what is next to the {noun} ?",
            "what can be seen beside the {noun} ?",
            "which thing is next to the {noun} ?",
            "what do you see close to the {noun} ?",
            "what is close to the {noun} ?",
            "what do you see next to the {noun} ?",
            "which thing is close to the {noun} ?",
        ),
        "ja": (
            "{noun} の 隣 に 何 が 見え ます か",
            "{noun} の そば の 物 は 何 です か",
            "{noun} の 隣 の 物 は 何 です か",
            "{noun} の 近く の 物 は 何 です か",
            "{noun} の そば に 何 が 見え ます か",
            "{noun} の 隣 に 見える 物 は 何 です か",
            "{noun} の 近く に 何 が 見え ます か",
        ),
        "hi": (
            "{oblique} के पास क्या है ?",
            "{oblique} के बगल में क्या है ?",
            "{oblique} के पास कौन सी चीज़ है ?",
            "{oblique} के बगल में क्या दिखता है ?",
            "{oblique} के बगल में कौन सी चीज़ है ?",
            "{oblique} के पास कौन सी चीज़ दिखती है ?",
            "{oblique} के पास क्या दिखता है ?",
        ),
    },
    "related": {
        "en": (
            "what is {relation} the {noun} ?",
            "which thing is {relation} the {noun} ?",
            "which thing can you see {relation} the {noun} ?",
            "what do you see {relation} the {noun} ?",
            "what can you see {relation} the {noun} ?",
            "which thing do you see {relation} the {noun} ?",
            "what can be seen {relation} the {noun} ?",
        ),
        "ja": (
            "{noun} の {relation} に 何 が 見え ます か",
            "{noun} の {relation} の 物 は 何 です か",
            "{noun} の {relation} に は 何 が 見え ます か",
            "{noun} の {relation} に 見える 物 は 何 です か",
            "{noun} の {relation} に は どんな 物 が 見え ます か",
            "{noun} の {relation} に 見える の は 何 です か",
            "何 が {noun} の {relation} に 見え ます か",
        ),
        "hi": (
            "{oblique} {relation} क्या है ?",
            "{oblique} {relation} क्या दिखता है ?",
            "{oblique} {relation} आपको क्या दिखता है ?",
            "{oblique} {relation} कौन सी चीज़ दिखती है ?",
            "बताइए {oblique} {relation} क्या है ?",
            "बताइए {oblique} {relation} क्या दिखता है ?",
            "{oblique} {relation} कौन सी चीज़ है ?",
        ),
    },
    "shown": {
        "en": (
            "what is in the picture ?",
            "what does the picture show ?",
            "what do you see here ?",
            "what is it that the picture shows ?",
            "what is shown in the picture ?",
            "what can be seen in the picture ?",
            "what can you see here ?",
        ),
        "ja": (
            "絵 に は 何 が 見え ます か",
            "この 絵 は 何 の 絵 です か",
            "絵 に 何 が 見え ます か",
            "ここ に 見える 物 は 何 です か",
            "絵 に 見える 物 は 何 です か",
            "この 絵 に は 何 が 見え ます か",
            "ここ に 何 が 見え ます か",
        ),
        "hi": (
            "चित्र में क्या है ?",
            "यह चित्र किसका है ?",
            "यहाँ क्या है ?",
            "चित्र में क्या दिखता है ?",
            "इस चित्र में क्या है ?",
            "इस चित्र में क्या दिखता है ?",
            "यहाँ क्या दिखता है ?",
        ),
    },
    "who": {
        "en": (
            "who is in the picture ?",
            "who can be seen here ?",
            "which person is in the picture ?",
            "who is it that you see here ?",
            "who does the picture show ?",
            "which person can be seen here ?",
            "which person does the picture show ?",
        ),
        "ja": (
            "絵 に は 誰 が い ます か",
            "ここ に 誰 が 見え ます か",
            "この 絵 に は 誰 が い ます か",
            "絵 の 人 は 誰 です か",
            "この 絵 に 誰 が 見え ます か",
            "ここ に 見える 人 は 誰 です か",
            "この 絵 の 人 は 誰 です か",
        ),
        "hi": (
            "चित्र में कौन है ?",
            "यहाँ कौन दिखता है ?",
            "यहाँ कौन है ?",
            "चित्र में कौन सा व्यक्ति दिखता है ?",
            "चित्र में कौन दिखता है ?",
            "यहाँ कौन सा व्यक्ति दिखता है ?",
            "चित्र में कौन सा व्यक्ति है ?",
        ),
    },
    "colour": {
        "en": (
            "what colour {be} the {noun} ?",
            "which colour do you see on the {noun} ?",
            "of what colour {be} the {noun} ?",
            "which is the colour of the {noun} here ?",
            "which colour {be} the {noun} ?",
            "what colour do you see on the {noun} ?",
            "what is the colour of the {noun} ?",
        ),
        "ja": (
            "{noun} は 何色 です か",
            "{noun} の 色 は 何 です か",
            "{noun} は どんな 色 に 見え ます か",
            "{noun} の 色 は どれ です か",
            "{noun} は 何色 に 見え ます か",
            "{noun} の 色 は どんな 色 です か",
            "{noun} は どんな 色 です か",
        ),
        "hi": (
            "{noun} किस रंग {of} {be} ?",
            "{noun} कौन से रंग {of} {be} ?",
            "बताइए {noun} कौन से रंग {of} {be} ?",
            "यहाँ {noun} किस रंग {of} {be} ?",
            "यहाँ {noun} कौन से रंग {of} {be} ?",
            "चित्र में {noun} किस रंग {of} {be} ?",
            "बताइए {noun} किस रंग {of} {be} ?",
        ),
    },
    "count": {
        "en": (
            "how many {plural} are there ?",
            "how many {plural} can you see ?",
            "which number of {plural} do you see ?",
            "what number of {plural} can be seen here ?",
            "what number of {plural} do you see ?",
            "which is the number of {plural} here ?",
            "what is the number of {plural} ?",
        ),
        "ja": (
            "{noun} の 数 は いくつ です か",
            "絵 の {noun} の 数 は いくつ です か",
            "{noun} は いくつ 見え ます か",
            "ここ で {noun} を 数える と いくつ です か",
            "絵 に {noun} は いくつ 見え ます か",
            "ここ に 見える {noun} の 数 は いくつ です か",
            "{noun} の 数 を 数える と いくつ です か",
        ),
        "hi": (
            "{many} {plural} हैं ?",
            "चित्र में {many} {plural} हैं ?",
            "बताइए {many} {plural} हैं ?",
            "यहाँ चित्र में {many} {plural} हैं ?",
            "बताइए चित्र में {many} {plural} हैं ?",
            "इस चित्र में {many} {plural} हैं ?",
            "यहाँ {many} {plural} हैं ?",
        ),
    },
    "where": {
        "en": (
            "where {be} the {noun} ?",
            "in which place {be} the {noun} ?",
            "at which place {be} the {noun} ?",
            "in what place can you see the {noun} ?",
            "at what place {be} the {noun} ?",
            "in which place can the {noun} be seen ?",
            "at what place can the {noun} be seen ?",
        ),
        "ja": (
            "{noun} は どこ に {be} ます か",
            "{noun} は どの 場所 に {be} ます か",
            "{noun} は どんな 場所 に {be} ます か",
            "{noun} の 見える 場所 は どこ です か",
            "{noun} が 見える の は どこ です か",
            "{noun} は どこ に 見え ます か",
            "{noun} の 場所 は どこ です か",
        ),
        "hi": (
            "{noun} कहाँ {be} ?",
            "{noun} किस जगह पर {be} ?",
            "बताइए {noun} किस जगह पर {be} ?",
            "{noun} किस जगह {be} ?",
            "{noun} चित्र में कहाँ {be} ?",
            "बताइए {noun} किस जगह {be} ?",
            "बताइए {noun} कहाँ {be} ?",
        ),
    },
    "exists": {
        "en": (
            "is there {a_noun} ?",
            "can you see {a_noun} ?",
            "do you see {a_noun} here ?",
            "does the picture have {a_noun} ?",
            "can {a_noun} be seen here ?",
            "is there {a_noun} in the picture ?",
            "does the picture show {a_noun} ?",
        ),
        "ja": (
            "{noun} が {be} ます か",
            "{noun} が 見え ます か",
            "絵 に {noun} は {be} ます か",
            "この 絵 に {noun} が 見え ます か",
            "絵 に {noun} が {be} ます か",
            "絵 に {noun} が 見え ます か",
            "この 絵 に {noun} は {be} ます か",
        ),
        "hi": (
            "क्या चित्र में {noun} है ?",
            "क्या यहाँ {noun} है ?",
            "क्या चित्र में {noun} है या नहीं ?",
            "यहाँ {noun} है या नहीं ?",
            "क्या इस चित्र में {noun} है ?",
            "क्या यहाँ {noun} है या नहीं ?",
            "चित्र में {noun} है या नहीं ?",
        ),
    },
    "doing": {
        "en": (
            "what is the {noun} doing ?",
            "which action do you see the {noun} do ?",
            "what do you see the {noun} do ?",
            "what is it that the {noun} does ?",
            "which action is the {noun} doing ?",
            "what action do you see the {noun} do ?",
            "what action is the {noun} doing ?",
        ),
        "ja": (
            "{noun} は 何 を して い ます か",
            "{noun} は 今 何 を して いる の です か",
            "{noun} が して いる 動作 は 何 です か",
            "{noun} は ここ で 何 を して い ます か",
            "{noun} が して いる の は 何 です か",
            "{noun} は どんな 動作 を して い ます か",
            "{noun} の 動作 は 何 です か",
        ),
        "hi": (
            "{noun} क्या कर {doing} है ?",
            "{noun} कौन सा काम कर {doing} है ?",
            "बताइए {noun} कौन सा काम कर {doing} है ?",
            "{noun} अभी क्या कर {doing} है ?",
            "{noun} अभी कौन सा काम कर {doing} है ?",
            "बताइए {noun} अभी क्या कर {doing} है ?",
            "बताइए {noun} क्या कर {doing} है ?",
        ),
    },
}

RELATION_WORDS: Final[dict[Literal["ja", "hi"], dict[Relation, str]]] = {
    "ja": {"left": "左", "right": "右", "above": "上方", "below": "下方", "on": "上"},
    "hi": {
        "left": "के बाईं ओर",
        "right": "के दाईं ओर",
        "above": "के ऊपर",
        "below": "के नीचे",
        "on": "पर",
    },
}

# answer id | English | Japanese | Hindi
_OTHER_ANSWERS: Final = """
red      | red      | 赤         | लाल
blue     | blue     | 青         | नीला
green    | green    | 緑         | हरा
yellow   | yellow   | 黄色       | पीला
black    | black    | 黒         | काला
white    | white    | 白         | सफ़ेद
1        | one      | 一つ       | एक
2        | two      | 二つ       | दो
3        | three    | 三つ       | तीन
beach    | beach    | 浜辺       | समुद्र तट
street   | street   | 通り       | सड़क
field    | field    | 野原       | खेत
snow     | snow     | 雪         | बर्फ़
forest   | forest   | 森         | जंगल
cave     | cave     | 洞窟       | गुफा
kitchen  | kitchen  | 台所       | रसोई
workshop | workshop | 作業場     | कार्यशाला
yes      | yes      | はい       | हाँ
no       | no       | いいえ     | नहीं
hold     | holding  | 持っている | पकड़ना
watch    | looking  | 見ている   | देखना
run      | running  | 走っている | दौड़ना
jump     | jumping  | 跳んでいる | कूदना
sit      | sitting  | 座っている | बैठना
"""

Answer = dict[AnswerLanguage, str]


def _other_answers() -> dict[str, Answer]:
    rows = [[cell.strip() for cell in line.split("|")] for line in _OTHER_ANSWERS.split("\n")]
    return {row[0]: {"en": row[1], "ja": row[2], "hi": row[3]} for row in rows if len(row) == 4}


ANSWERS: Final[dict[str, Answer]] = {
    **{
        kind: {"en": noun(kind), "ja": JAPANESE[kind], "hi": HINDI[kind].singular} for kind in KINDS
    },
    **_other_answers(),
}
"""Answer id: its text in each language. The order of the ids numbers the answer classes."""

__all__ = ["ANSWERS", "PARAPHRASES", "RELATION_WORDS", "Answer", "AnswerLanguage", "Form"]
