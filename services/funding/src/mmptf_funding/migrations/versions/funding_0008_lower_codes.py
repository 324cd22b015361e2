"""Codes are looked up without regard to case, and requirements are found by every name of their country."""

import sqlalchemy as sa
from alembic import op

revision = "funding_0008"
down_revision = "funding_0007"

RECORDS = (
    "source_document", "money_stage", "contributor", "contribution", "target", "fact", "edition", "term",
    "requirement", "printed_total", "initiative", "programme", "ledger_entry", "results_matrix",
)  # fmt: skip
INDEXES = (
    "CREATE INDEX contributor_lower_country ON contributor (lower(country))",
    "CREATE INDEX term_lower_term ON term (lower(term), kind)",
    "CREATE INDEX term_lower_country ON term (lower(coalesce(country, 'none')), kind)",
    "CREATE INDEX ledger_entry_lower_programme ON ledger_entry (lower(programme))",
    "CREATE INDEX ledger_entry_lower_organization ON ledger_entry (lower(organization))",
    "CREATE INDEX ledger_entry_lower_thematic_area ON ledger_entry (lower(thematic_area))",
)
# The code of a country, and the words of its names.
WORDS = """
ABW aruba
AFG afghanistan
AGO angola
AIA anguilla
ALA aland islands
ALB albania
AND andorra
ARE united arab emirates uae
ARG argentina
ARM armenia
ASM american samoa
ATA antarctica
ATF french southern territories
ATG antigua and barbuda
AUS australia
AUT austria
AZE azerbaijan
BDI burundi
BEL belgium
BEN benin
BES bonaire sint eustatius and saba caribbean netherlands
BFA burkina faso
BGD bangladesh
BGR bulgaria
BHR bahrain
BHS bahamas
BIH bosnia and herzegovina
BLM saint barthelemy
BLR belarus
BLZ belize
BMU bermuda
BOL bolivia plurinational state of
BRA brazil
BRB barbados
BRN brunei darussalam
BTN bhutan
BVT bouvet island
BWA botswana
CAF central african republic
CAN canada
CCK cocos keeling islands
CHE switzerland
CHL chile
CHN china
CIV cote d ivoire ivory coast
CMR cameroon cameroun
COD democratic republic of the congo dr drc kinshasa zaire
COG congo republic of the brazzaville
COK cook islands
COL colombia
COM comoros
CPV cabo verde cape
CRI costa rica
CUB cuba
CUW curacao
CXR christmas island
CYM cayman islands
CYP cyprus
CZE czechia czech republic
DEU germany
DJI djibouti
DMA dominica
DNK denmark
DOM dominican republic
DZA algeria
ECU ecuador
EGY egypt
ERI eritrea
ESH western sahara
ESP spain
EST estonia
ETH ethiopia
FIN finland
FJI fiji
FLK falkland islands malvinas
FRA france
FRO faroe islands faeroe
FSM micronesia federated states of
GAB gabon
GBR united kingdom of great britain and northern ireland
GEO georgia
GGY guernsey
GHA ghana
GIB gibraltar
GIN guinea
GLP guadeloupe
GMB gambia
GNB guinea bissau
GNQ equatorial guinea
GRC greece
GRD grenada
GRL greenland
GTM guatemala
GUF french guiana
GUM guam
GUY guyana
HKG china hong kong special administrative region
HMD heard island and mcdonald islands
HND honduras
HRV croatia
HTI haiti
HUN hungary
IDN indonesia
IMN isle of man
IND india
IOT british indian ocean territory
IRL ireland
IRN iran islamic republic of
IRQ iraq
ISL iceland
ISR israel
ITA italy
JAM jamaica
JEY jersey
JOR jordan
JPN japan
KAZ kazakhstan
KEN kenya
KGZ kyrgyzstan
KHM cambodia
KIR kiribati
KNA saint kitts and nevis
KOR republic of korea south
KWT kuwait
LAO lao people s democratic republic laos pdr
LBN lebanon
LBR liberia
LBY libya
LCA saint lucia
LIE liechtenstein
LKA sri lanka
LSO lesotho
LTU lithuania
LUX luxembourg
LVA latvia
MAC china macao special administrative region macau
MAF saint martin french part
MAR morocco
MCO monaco
MDA republic of moldova
MDG madagascar
MDV maldives
MEX mexico
MHL marshall islands
MKD north macedonia the former yugoslav republic of
MLI mali
MLT malta
MMR myanmar burma
MNE montenegro
MNG mongolia
MNP northern mariana islands
MOZ mozambique
MRT mauritania
MSR montserrat
MTQ martinique
MUS mauritius
MWI malawi
MYS malaysia
MYT mayotte
NAM namibia
NCL new caledonia
NER niger
NFK norfolk island
NGA nigeria
NIC nicaragua
NIU niue
NLD netherlands kingdom of the
NOR norway
NPL nepal
NRU nauru
NZL new zealand
OMN oman
PAK pakistan
PAN panama
PCN pitcairn islands
PER peru
PHL philippines
PLW palau
PNG papua new guinea
POL poland
PRI puerto rico
PRK democratic people s republic of korea north dprk dpr
PRT portugal
PRY paraguay
PSE state of palestine occupied palestinian territory
PYF french polynesia
QAT qatar
REU reunion
ROU romania
RUS russian federation russia
RWA rwanda
SAU saudi arabia
SDN sudan
SEN senegal
SGP singapore
SGS south georgia and the sandwich islands
SHN saint helena ascension and tristan da cunha
SJM svalbard and jan mayen islands
SLB solomon islands
SLE sierra leone
SLV el salvador
SMR san marino
SOM somalia
SPM saint pierre and miquelon
SRB serbia
SSD south sudan
STP sao tome and principe
SUR suriname
SVK slovakia
SVN slovenia
SWE sweden
SWZ eswatini swaziland
SXM sint maarten dutch part
SYC seychelles
SYR syrian arab republic syria
TCA turks and caicos islands
TCD chad
TGO togo
THA thailand
TJK tajikistan
TKL tokelau
TKM turkmenistan
TLS timor leste east
TON tonga
TTO trinidad and tobago
TUN tunisia
TUR turkiye turkey
TUV tuvalu
TWN taiwan province of china
TZA united republic of tanzania
UGA uganda
UKR ukraine
UMI united states minor outlying islands
URY uruguay
USA united states of america
UZB uzbekistan
VAT holy see vatican city state
VCT saint vincent and the grenadines
VEN venezuela bolivarian republic of
VGB british virgin islands
VIR united states virgin islands us
VNM viet nam
VUT vanuatu
WLF wallis and futuna islands
WSM samoa
XKX kosovo unsc resolution 1244 administered
YEM yemen
ZAF south africa
ZMB zambia
ZWE zimbabwe
"""
# The records stay as they are, so this is no change of the journal.
ADD_WORDS = """
UPDATE requirement SET words = requirement.words || ARRAY(
       SELECT word FROM unnest(added.words) WITH ORDINALITY AS more(word, n)
        WHERE word <> ALL (requirement.words) ORDER BY n)
  FROM unnest(CAST(:codes AS text[]), CAST(:words AS text[])) AS given(code, line),
       LATERAL (SELECT string_to_array(line, ' ')) AS added(words)
 WHERE requirement.country = given.code AND NOT added.words <@ requirement.words
"""


def upgrade() -> None:  # noqa: D103
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_lower_code ON {table} (lower(code))")
    for statement in INDEXES:
        op.execute(statement)
    codes, words = zip(*(line.split(" ", 1) for line in WORDS.strip().splitlines()), strict=True)
    op.execute(sa.text(ADD_WORDS).bindparams(codes=list(codes), words=list(words)))
