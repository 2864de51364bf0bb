"""France's départements by INSEE code: their names, regions and time zones.

A list's own words for them differ: Réunion is spelled two ways, apostrophes are straight or curly, overseas regions are
blank, ``DROM``, ``COM`` or a name. So a list says which département, by name or code, and the rest follows from here.
Used by ``sites.importers``.

Source: Insee, Code officiel géographique, 1 January 2024; zones from the IANA time zone database.
"""

import re
import unicodedata
from dataclasses import dataclass

MAINLAND_ZONE = "Europe/Paris"

_REGIONS = {
    "Auvergne-Rhône-Alpes": "01 Ain,03 Allier,07 Ardèche,15 Cantal,26 Drôme,38 Isère,42 Loire,43 Haute-Loire,"
    "63 Puy-de-Dôme,69 Rhône,73 Savoie,74 Haute-Savoie",
    "Bourgogne-Franche-Comté": "21 Côte-d'Or,25 Doubs,39 Jura,58 Nièvre,70 Haute-Saône,71 Saône-et-Loire,89 Yonne,"
    "90 Territoire de Belfort",
    "Bretagne": "22 Côtes-d'Armor,29 Finistère,35 Ille-et-Vilaine,56 Morbihan",
    "Centre-Val de Loire": "18 Cher,28 Eure-et-Loir,36 Indre,37 Indre-et-Loire,41 Loir-et-Cher,45 Loiret",
    "Corse": "2A Corse-du-Sud,2B Haute-Corse",
    "Grand Est": "08 Ardennes,10 Aube,51 Marne,52 Haute-Marne,54 Meurthe-et-Moselle,55 Meuse,57 Moselle,67 Bas-Rhin,"
    "68 Haut-Rhin,88 Vosges",
    "Hauts-de-France": "02 Aisne,59 Nord,60 Oise,62 Pas-de-Calais,80 Somme",
    "Île-de-France": "75 Paris,77 Seine-et-Marne,78 Yvelines,91 Essonne,92 Hauts-de-Seine,93 Seine-Saint-Denis,"
    "94 Val-de-Marne,95 Val-d'Oise",
    "Normandie": "14 Calvados,27 Eure,50 Manche,61 Orne,76 Seine-Maritime",
    "Nouvelle-Aquitaine": "16 Charente,17 Charente-Maritime,19 Corrèze,23 Creuse,24 Dordogne,33 Gironde,40 Landes,"
    "47 Lot-et-Garonne,64 Pyrénées-Atlantiques,79 Deux-Sèvres,86 Vienne,87 Haute-Vienne",
    "Occitanie": "09 Ariège,11 Aude,12 Aveyron,30 Gard,31 Haute-Garonne,32 Gers,34 Hérault,46 Lot,48 Lozère,"
    "65 Hautes-Pyrénées,66 Pyrénées-Orientales,81 Tarn,82 Tarn-et-Garonne",
    "Pays de la Loire": "44 Loire-Atlantique,49 Maine-et-Loire,53 Mayenne,72 Sarthe,85 Vendée",
    "Provence-Alpes-Côte d'Azur": "04 Alpes-de-Haute-Provence,05 Hautes-Alpes,06 Alpes-Maritimes,13 Bouches-du-Rhône,"
    "83 Var,84 Vaucluse",
}
_OVERSEAS = (
    ("971", "Guadeloupe", "America/Guadeloupe"),
    ("972", "Martinique", "America/Martinique"),
    ("973", "Guyane", "America/Cayenne"),
    ("974", "La Réunion", "Indian/Reunion"),
    ("975", "Saint-Pierre-et-Miquelon", "America/Miquelon"),
    ("976", "Mayotte", "Indian/Mayotte"),
    ("977", "Saint-Barthélemy", "America/St_Barthelemy"),
    ("978", "Saint-Martin", "America/Marigot"),
    ("986", "Wallis-et-Futuna", "Pacific/Wallis"),
    ("987", "Polynésie française", "Pacific/Tahiti"),
    ("988", "Nouvelle-Calédonie", "Pacific/Noumea"),
)
_OWN_POSTCODES = {"97133": "977", "97150": "978"}  # islands that kept the postcodes of Guadeloupe
_SMALL_WORDS = re.compile(r"^(la|le|les|l)-")


@dataclass(frozen=True, slots=True)
class Department:
    """A département or an overseas collectivity; ``region`` of one overseas is its own name."""

    code: str
    name: str
    region: str
    time_zone: str

    @property
    def overseas(self) -> bool:
        """Whether it lies outside Europe."""
        return self.time_zone != MAINLAND_ZONE


def _all() -> list[Department]:
    mainland = [
        Department(one[:2], one[3:], region, MAINLAND_ZONE)
        for region, listed in _REGIONS.items()
        for one in listed.split(",")
    ]
    return mainland + [Department(code, name, name, zone) for code, name, zone in _OVERSEAS]


def every() -> list[Department]:
    """All of them, by code."""
    return sorted(_BY_CODE.values(), key=lambda one: one.code)


def slug(text: str) -> str:
    """``text`` in lower case ASCII letters and digits, anything else one hyphen; empty if nothing is left."""
    spelled = text.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("Æ", "AE")
    letters = "".join(one for one in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-")


def _folded(name: str) -> str:
    return _SMALL_WORDS.sub("", slug(name))


_BY_CODE = {one.code: one for one in _all()}
_BY_NAME = {_folded(one.name): one for one in _BY_CODE.values()}


def by_code(code: str) -> Department | None:
    """The département with an INSEE code such as ``1``, ``01``, ``2A`` or ``974``; ``None`` for no such code."""
    return _BY_CODE.get(code.strip().upper().zfill(2))


def by_name(name: str) -> Department | None:
    """The département called so, whatever the accents, apostrophes and articles; ``None`` if none is."""
    return _BY_NAME.get(_folded(name))


def by_postcode(postcode: str) -> Department | None:
    """The département of a postcode of five digits; ``None`` if it says none.

    A few communes are served from the neighbouring département, so a name, where given, is better.
    """
    if not re.fullmatch(r"\d{5}", postcode):
        return None
    if postcode in _OWN_POSTCODES:
        return _BY_CODE[_OWN_POSTCODES[postcode]]
    if postcode.startswith("20"):
        return _BY_CODE["2B" if postcode[2] in "26" else "2A"]
    return _BY_CODE.get(postcode[:3] if postcode.startswith(("97", "98")) else postcode[:2])
