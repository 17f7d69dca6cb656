"""Names exchanged for others of their kind while training, so that a name alone never decides a label.

Western states and leaders change places with each other, and so do all the others: what is Western policy, and who
speaks for it, stays as it was.
"""

import random
import re
from collections.abc import Sequence

# A country, its adjective, its people and its seat of government; the article belongs to the name.
_WESTERN_COUNTRIES = """
the United States, American, Americans, Washington
the United Kingdom, British, Britons, London
France, French, French people, Paris
Germany, German, Germans, Berlin
Canada, Canadian, Canadians, Ottawa
Italy, Italian, Italians, Rome
Spain, Spanish, Spaniards, Madrid
Poland, Polish, Poles, Warsaw
the Netherlands, Dutch, Dutch people, The Hague
Norway, Norwegian, Norwegians, Oslo
Denmark, Danish, Danes, Copenhagen
Sweden, Swedish, Swedes, Stockholm
Australia, Australian, Australians, Canberra
Japan, Japanese, Japanese people, Tokyo
Lithuania, Lithuanian, Lithuanians, Vilnius
Estonia, Estonian, Estonians, Tallinn
"""
_OTHER_COUNTRIES = """
Russia, Russian, Russians, Moscow
China, Chinese, Chinese people, Beijing
Iran, Iranian, Iranians, Tehran
India, Indian, Indians, New Delhi
Brazil, Brazilian, Brazilians, Brasilia
South Africa, South African, South Africans, Pretoria
Belarus, Belarusian, Belarusians, Minsk
Serbia, Serbian, Serbs, Belgrade
Syria, Syrian, Syrians, Damascus
Cuba, Cuban, Cubans, Havana
Venezuela, Venezuelan, Venezuelans, Caracas
North Korea, North Korean, North Koreans, Pyongyang
Egypt, Egyptian, Egyptians, Cairo
Indonesia, Indonesian, Indonesians, Jakarta
Nigeria, Nigerian, Nigerians, Abuja
Kenya, Kenyan, Kenyans, Nairobi
Pakistan, Pakistani, Pakistanis, Islamabad
Vietnam, Vietnamese, Vietnamese people, Hanoi
Kazakhstan, Kazakh, Kazakhs, Astana
Algeria, Algerian, Algerians, Algiers
Ethiopia, Ethiopian, Ethiopians, Addis Ababa
Colombia, Colombian, Colombians, Bogota
Georgia, Georgian, Georgians, Tbilisi
Ukraine, Ukrainian, Ukrainians, Kyiv
"""
_WESTERN_LEADERS = (
    "Biden, Trump, Obama, Bush, Clinton, Macron, Merkel, Scholz, Johnson, Sunak, Starmer, Trudeau, Stoltenberg, Rutte, "
    "Blinken, Pompeo, Kerry, Rubio, Tusk, Meloni, Kishida, Borrell"
)
_OTHER_LEADERS = (
    "Putin, Lavrov, Medvedev, Peskov, Lukashenko, Xi, Modi, Lula, Ramaphosa, Assad, Maduro, Castro, Kim, Khamenei, "
    "Rouhani, Zarif, Erdogan, Vucic, Tokayev, Zelenskyy, Poroshenko, Kuleba, Guterres"
)
# Written otherwise, but the same.
_ALIASES = {
    "U.S.": "American",
    "US": "American",
    "USA": "the United States",
    "America": "the United States",
    "the UK": "the United Kingdom",
    "the U.K.": "the United Kingdom",
    "Britain": "the United Kingdom",
    "the Russian Federation": "Russia",
    "Kiev": "Kyiv",
    "Zelensky": "Zelenskyy",
}


def _table(text: str) -> list[tuple[str, ...]]:
    return [tuple(line.split(", ")) for line in text.strip().splitlines()]


# Kinds of names that change places: each a list of members, each member the forms of its name.
_KINDS: tuple[list[tuple[str, ...]], ...] = (
    _table(_WESTERN_COUNTRIES),
    _table(_OTHER_COUNTRIES),
    [(name,) for name in _WESTERN_LEADERS.split(", ")],
    [(name,) for name in _OTHER_LEADERS.split(", ")],
)
_PLACE = {
    form: (kind, member, column)
    for kind, members in enumerate(_KINDS)
    for member, forms in enumerate(members)
    for column, form in enumerate(forms)
}
_PLACE.update({alias: _PLACE[form] for alias, form in _ALIASES.items()})
_THE = "the "
_BARE = {form.removeprefix(_THE): form for form in _PLACE}
_NAME = re.compile(
    r"(?<!\w)(?:(?P<article>[Aa]n?|[Tt]he) )?(?P<name>"
    + "|".join(re.escape(name) for name in sorted(_BARE, key=lambda name: (-len(name), name)))
    + r")(?!\w)"
)


def swap_names(texts: Sequence[str], rng: random.Random) -> list[str]:
    """The texts of one article with its names exchanged, each for the same other one throughout.

    Args:
        texts: Sentences of an article, and its title.
        rng: Draws the exchange.
    """
    exchange = [rng.sample(range(len(members)), len(members)) for members in _KINDS]

    def replace(match: re.Match[str]) -> str:
        old = _BARE[match["name"]]
        kind, member, column = _PLACE[old]
        new = _KINDS[kind][exchange[kind][member]][column]
        bare = new.removeprefix(_THE)
        article = match["article"] or ""
        if article.lower() in ("a", "an"):
            return f"{article[0]}{'n' if bare[0] in 'AEIO' else ''} {bare}"
        text = f"{_THE}{bare}" if article else new
        if old.startswith(_THE):  # without its article it stands like an adjective: "UK aid"
            text = new if article else bare
        begins = match.start() == 0 or article == "The"
        return text[0].upper() + text[1:] if begins else text

    return [_NAME.sub(replace, text) for text in texts]
