"""Countries and bodies that a sentence names: to slice scores by, and to mask what a name alone could give away."""

import re

# A country and the other words that name it: its people, and its capital or seat of government, which stand for it.
_COUNTRIES = """
Afghanistan: Afghan, Afghans, Kabul, Taliban
Albania: Albanian, Albanians, Tirana
Algeria: Algerian, Algerians, Algiers
Angola: Angolan, Angolans, Luanda
Argentina: Argentine, Argentinian, Argentines, Buenos Aires
Armenia: Armenian, Armenians, Yerevan
Australia: Australian, Australians, Canberra
Austria: Austrian, Austrians, Vienna
Azerbaijan: Azerbaijani, Azerbaijanis, Baku
Bangladesh: Bangladeshi, Bangladeshis, Dhaka
Belarus: Belarusian, Belarusians, Byelorussian, Minsk
Belgium: Belgian, Belgians
Bolivia: Bolivian, Bolivians, La Paz
Bosnia and Herzegovina: Bosnia, Bosnian, Bosnians, Sarajevo
Brazil: Brazilian, Brazilians, Brasilia, Brasília
Bulgaria: Bulgarian, Bulgarians, Sofia
Burkina Faso: Burkinabe, Ouagadougou
Cambodia: Cambodian, Cambodians, Phnom Penh
Cameroon: Cameroonian, Cameroonians, Yaounde
Canada: Canadian, Canadians, Ottawa
Chad: Chadian, Chadians
Chile: Chilean, Chileans
China: Chinese, Beijing, PRC, People's Republic of China
Colombia: Colombian, Colombians, Bogota, Bogotá
Congo: Congolese, Kinshasa, DRC
Croatia: Croatian, Croatians, Zagreb
Cuba: Cuban, Cubans, Havana
Cyprus: Cypriot, Cypriots, Nicosia
Czechia: Czech, Czechs, Czech Republic, Prague
Denmark: Danish, Danes, Copenhagen
Egypt: Egyptian, Egyptians, Cairo
Eritrea: Eritrean, Eritreans, Asmara
Estonia: Estonian, Estonians, Tallinn
Ethiopia: Ethiopian, Ethiopians, Addis Ababa
Finland: Finnish, Finns, Helsinki
France: French, Paris, Elysee, Élysée
Georgia: Georgian, Georgians, Tbilisi
Germany: German, Germans, Berlin, Bundestag
Ghana: Ghanaian, Ghanaians, Accra
Greece: Greek, Greeks, Athens
Haiti: Haitian, Haitians
Hungary: Hungarian, Hungarians, Budapest
Iceland: Icelandic, Reykjavik
India: Indian, Indians, New Delhi, Delhi
Indonesia: Indonesian, Indonesians, Jakarta
Iran: Iranian, Iranians, Tehran, Teheran
Iraq: Iraqi, Iraqis, Baghdad
Ireland: Irish, Dublin
Israel: Israeli, Israelis, Jerusalem, Tel Aviv
Italy: Italian, Italians, Rome
Japan: Japanese, Tokyo
Jordan: Jordanian, Jordanians, Amman
Kazakhstan: Kazakh, Kazakhs, Kazakhstani, Astana
Kenya: Kenyan, Kenyans, Nairobi
Kosovo: Kosovan, Kosovar, Kosovars, Pristina
Kuwait: Kuwaiti, Kuwaitis
Kyrgyzstan: Kyrgyz, Bishkek
Latvia: Latvian, Latvians, Riga
Lebanon: Lebanese, Beirut, Hezbollah
Libya: Libyan, Libyans, Tripoli
Lithuania: Lithuanian, Lithuanians, Vilnius
Malaysia: Malaysian, Malaysians, Kuala Lumpur
Mali: Malian, Malians, Bamako
Mexico: Mexican, Mexicans
Moldova: Moldovan, Moldovans, Chisinau, Chișinău, Transnistria
Mongolia: Mongolian, Mongolians, Ulaanbaatar
Montenegro: Montenegrin, Montenegrins, Podgorica
Morocco: Moroccan, Moroccans, Rabat
Mozambique: Mozambican, Mozambicans, Maputo
Myanmar: Burma, Burmese, Naypyidaw
Netherlands: Dutch, The Hague
New Zealand: New Zealander, New Zealanders, Wellington
Nicaragua: Nicaraguan, Nicaraguans, Managua
Niger: Nigerien, Nigeriens, Niamey
Nigeria: Nigerian, Nigerians, Abuja
North Korea: North Korean, North Koreans, DPRK, Pyongyang
North Macedonia: Macedonia, Macedonian, Macedonians, Skopje
Norway: Norwegian, Norwegians, Oslo
Pakistan: Pakistani, Pakistanis, Islamabad
Palestine: Palestinian, Palestinians, Gaza, Hamas, Ramallah, West Bank
Peru: Peruvian, Peruvians
Philippines: Philippine, Filipino, Filipinos, Manila
Poland: Polish, Poles, Warsaw
Portugal: Portuguese, Lisbon
Qatar: Qatari, Qataris, Doha
Romania: Romanian, Romanians, Bucharest
Russia: Russian, Russians, Russian Federation, Moscow, Kremlin
Rwanda: Rwandan, Rwandans, Kigali
Saudi Arabia: Saudi, Saudis, Riyadh
Senegal: Senegalese, Dakar
Serbia: Serbian, Serbians, Serb, Serbs, Belgrade
Singapore: Singaporean, Singaporeans
Slovakia: Slovak, Slovaks, Bratislava
Slovenia: Slovenian, Slovenians, Slovene, Ljubljana
Somalia: Somali, Somalis, Mogadishu
South Africa: South African, South Africans, Pretoria
South Korea: South Korean, South Koreans, Republic of Korea, Seoul
South Sudan: South Sudanese, Juba
Soviet Union: Soviet, Soviets, USSR
Spain: Spanish, Spaniards, Madrid
Sri Lanka: Sri Lankan, Sri Lankans, Colombo
Sudan: Sudanese, Khartoum
Sweden: Swedish, Swedes, Stockholm
Switzerland: Swiss, Bern, Geneva
Syria: Syrian, Syrians, Damascus
Taiwan: Taiwanese, Taipei
Tajikistan: Tajik, Tajiks, Dushanbe
Tanzania: Tanzanian, Tanzanians
Thailand: Thai, Thais, Bangkok
Tunisia: Tunisian, Tunisians
Türkiye: Turkey, Turkish, Turks, Ankara, Istanbul
Turkmenistan: Turkmen, Ashgabat
Uganda: Ugandan, Ugandans, Kampala
Ukraine: Ukrainian, Ukrainians, Kyiv, Kiev, Crimea, Donbas, Donbass
United Arab Emirates: UAE, Emirati, Emiratis, Abu Dhabi, Dubai
United Kingdom: UK, U.K., Britain, Great Britain, British, Britons, London, Downing Street
United States: US, U.S., USA, U.S.A., America, American, Americans, Washington, White House, Pentagon
Uzbekistan: Uzbek, Uzbeks, Tashkent
Vatican: Holy See
Venezuela: Venezuelan, Venezuelans, Caracas
Vietnam: Viet Nam, Vietnamese, Hanoi
Yemen: Yemeni, Yemenis, Sanaa, Houthi, Houthis
Zambia: Zambian, Zambians, Lusaka
Zimbabwe: Zimbabwean, Zimbabweans, Harare
"""
_BODIES = (
    "NATO, North Atlantic Treaty Organization, European Union, EU, European Commission, Brussels, G7, G8, G20, BRICS, "
    "UN, U.N., United Nations, Security Council, OSCE, CSTO, SCO, CIS, ASEAN, African Union, AU, Arab League, AUKUS, "
    "Quad, IAEA, IMF, World Bank, West, Western, Westerners, Europe, European, Europeans, Euro-Atlantic, "
    "Transatlantic, Atlantic, Eurasia, Eurasian"
)

# Headlines in capitals name countries too; two and three letters in capitals are more often something else.
_COUNTRY_OF = {
    written: country
    for line in _COUNTRIES.strip().splitlines()
    for country, others in [line.split(": ")]
    for word in (country, *others.split(", "))
    for written in ({word, word.upper()} if len(word) > 3 else {word})
}


def _any_of(words: list[str]) -> re.Pattern[str]:
    # The longest first, so that "South Sudan" is not read as "Sudan".
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)")


_COUNTRY = _any_of(list(_COUNTRY_OF))
_KNOWN = _any_of([*_COUNTRY_OF, *_BODIES.split(", ")])
_WORD = re.compile(r"\w[\w'’.&-]*\w|\w")
# One placeholder stands for a run of capitalized words: "Foreign Minister Anna Berg" is one name.
_CAPITALIZED = r"[^\W\d_a-zß-öø-ÿ][\w'’&-]*(?:\.(?=\w)[\w'’&-]*)*"
_NAME_RUN = re.compile(rf"(?<!\w){_CAPITALIZED}(?:\s+{_CAPITALIZED})*")
_PLACEHOLDER = "Name"
_MASKED_RUN = re.compile(rf"{_PLACEHOLDER}(?:\s+{_PLACEHOLDER})+")
# Words that are capitalized without being part of a name.
_NOT_NAMES = frozenset(["I", "I'm", "I've", "I'd", "I'll", "I’m", "I’ve", "I’d", "I’ll"])
# A share of capitalized words above it makes a headline.
_HEADLINE_SHARE = 0.7


def named_countries(text: str) -> tuple[str, ...]:
    """The countries that a text names, by their name, people or seat of government; each once, in order.

    Only English words written with a capital count; a person or a body is not taken for its country.
    """
    return tuple(dict.fromkeys(_COUNTRY_OF[match.group()] for match in _COUNTRY.finditer(text)))


def mask_names(text: str) -> str:
    """The text with each name replaced by the word `Name`.

    Names are the known countries and bodies, and every other run of capitalized words that does not begin the
    sentence. Where most words are capitalized, as in headlines, only the known ones can be told from the rest.
    """
    masked = _KNOWN.sub(_PLACEHOLDER, text)
    words = [word for word in _WORD.findall(text) if len(word) > 3]
    if sum(word[0].isupper() for word in words) <= len(words) * _HEADLINE_SHARE:
        first = _WORD.search(masked)
        start = first.end() if first else 0
        masked = masked[:start] + _NAME_RUN.sub(_masked_name, masked[start:])
    return _MASKED_RUN.sub(_PLACEHOLDER, masked)


def _masked_name(match: re.Match[str]) -> str:
    return match.group() if match.group() in _NOT_NAMES else _PLACEHOLDER
