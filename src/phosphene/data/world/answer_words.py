"""What answers are called in English, Japanese and Hindi."""

from __future__ import annotations

from typing import Final, Literal

from phosphene.data.world.lexicon import HINDI, JAPANESE, KINDS, noun

AnswerLanguage = Literal["en", "ja", "hi"]
Answer = dict[AnswerLanguage, str]

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

__all__ = ["ANSWERS", "Answer", "AnswerLanguage"]
