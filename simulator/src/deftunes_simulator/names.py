"""Names of people, artists and songs: the word lists the generators combine, and the awkward ones.

The awkward entries are the point: each is a character or shape that breaks some reader (quotes, commas,
line ends inside a value, control characters, text that looks like NULL, scripts outside Latin-1).
"""

from __future__ import annotations

FIRST_NAMES = {
    "english": ("Elizabeth", "James", "Mary-Ann", "Robert", "Zoë", "Jack", "Chloe", "Noah", "Grace", "Liam"),
    "french": ("Hélène", "François", "Chloé", "Gaël", "Inès", "Jean-Luc", "Maëlys", "Théo"),
    "german": ("Jürgen", "Anke", "Björn", "Käthe", "Lukas", "Sofie", "Götz", "Mia"),
    "spanish": ("José", "Lucía", "Íñigo", "María José", "Begoña", "Andrés", "Sofía", "Ángel"),
    "portuguese": ("João", "Conceição", "Inês", "Thiago", "Luísa", "Antônio", "Beatriz"),
    "italian": ("Niccolò", "Giulia", "Luca", "Chiara", "Matteo", "Donatella", "Cosimo"),
    "nordic": ("Åsa", "Søren", "Þóra", "Aino", "Bjørn", "Freja", "Väinö", "Ingrid"),
    "slavic": ("Łukasz", "Žofie", "Оксана", "Тарас", "Agnieszka", "Jiří", "Mirjana"),
    "japanese": ("さくら", "健太", "Haruki", "美咲", "翔", "Yuki"),
    "korean": ("민준", "서연", "Ji-woo", "하은", "Min-ho"),
    "chinese": ("伟", "芳", "Mei-ling", "子轩", "Jia-hao"),
    "indian": ("Aarav", "Priya", "अनन्या", "Rohan", "Lakshmi", "Vikram"),
    "arabic": ("محمد", "ليلى", "Ömer", "Yusuf", "Nadia", "Işıl"),
}
LAST_NAMES = {
    "english": ("Carey", "O'Brien", "Smith", "McDonald", "Jones-Hill", "D'Souza", "Taylor", "Okafor", "King"),
    "french": ("Lefèvre", "d'Arcy", "Dupont", "Saint-Exupéry", "Beauséjour", "Le Goff"),
    "german": ("Müller", "Weiß", "von der Heide", "Schröder", "Bauer", "van Dijk"),
    "spanish": ("Núñez", "García Márquez", "Ibáñez", "Peña", "de la Cruz", "Ortega y Gasset"),
    "portuguese": ("Gonçalves", "da Conceição", "Araújo", "dos Santos", "Magalhães"),
    "italian": ("D'Angelo", "Rossi", "Dell'Orto", "Esposito", "Nicolò"),
    "nordic": ("Åkesson", "Sørensen", "Guðmundsdóttir", "Hämäläinen", "Lindqvist"),
    "slavic": ("Wójcik", "Dvořáková", "Шевченко", "Kowalski", "Đorđević"),
    "japanese": ("佐藤", "Suzuki", "高橋", "渡辺", "Ōtani"),
    "korean": ("김", "이", "Park", "최"),
    "chinese": ("李", "王", "Chen", "欧阳", "Ng"),
    "indian": ("Sharma", "Patel", "Iyer", "सिंह", "D'Costa"),
    "arabic": ("الفاسي", "Haddad", "Yılmaz", "Öztürk", "El-Sayed"),
}

ODD_PEOPLE = (
    ("Sinéad", "O'Brien"),
    ("Íñigo", "Núñez"),
    ("伟", "李"),
    ('Robert "Bobby"', "Tables, Jr."),
    (" Lee ", "Leading-Space"),
    ("Null", "None"),
    ("Zo\u0065\u0308", "Back\\slash"),
    ("😀", "Tab\tbed"),
)
"""(user_name, user_lastname) of the very first users, and of two newcomers in every later month."""

ODD_TITLES = (
    'Say "Yes" Twice',
    "Don't Look Down",
    "One, Two, Three, Four",
    "Canción de Otoño",
    "月亮代表我的心",
    "Disco Inferno 🪩🔥",
    "I\u0019m Not In Love",
    "Side A\tSide B",
    "First Line\nSecond Line",
    "Carriage\r\nReturn",
    "C:\\Songs\\New",
    "  Leading Spaces",
    "Trailing Spaces  ",
    "",
    '"',
    "\\N",
    "NULL",
    "Naïve — “Curly” ‘Quotes’",
    "Line\u2028Separator",
    "Cafe\u0301 Decomposed",
    "شكرا جزيلا",
    "<script>alert('hi')</script>",
    "=1+1",
    "The Extraordinarily Long Title of a Live Recording That the Label Insisted on Printing in Full (Recorded "
    "at the Old Town Hall in the Rain) [Remastered Deluxe Anniversary Edition]",
)
"""Titles every catalogue holds and every month sells."""

ODD_ARTISTS = (
    '"Odd Al" Zanković',
    "O'Malley's Ghost",
    "Harry, Dick & Sons, Ltd.",
    "Sigur Nótt",
    "椎名りんごの樹",
    "Beyond 👑",
    "AM\\FM",
    " Spacey Band ",
    "Кино и Немцы",
    "Mötley Brüders",
    "N/A",
    "Tab\tand the Stops",
)
"""Names of the artists who recorded them."""

ARTIST_FIRST = (
    "The", "Los", "Les", "DJ", "MC", "Big", "Little", "Saint", "Doctor", "Electric", "Velvet", "Golden", "Neon",
    "Lonely", "Midnight", "Royal", "Silver", "Wild", "Blind", "Café", "Señor", "Broken", "Sonic", "Holy",
)  # fmt: skip
ARTIST_MIDDLE = (
    "Balancing", "Travelling", "Crimson", "Paper", "Atlantic", "Northern", "Concrete", "Désert", "Cosmic", "Rusty",
    "Quiet", "Marble", "Jungle", "Plastic", "Winter", "Copper", "Velour", "Distant", "Hollow", "Burning",
)  # fmt: skip
ARTIST_LAST = (
    "Act", "Foxes", "Brothers", "Sisters", "Orchestra", "Machine", "Parade", "Cathedral", "Hearts", "Corraleros",
    "Lions", "Quartet", "Riders", "Ensemble", "Collective", "Saints", "Wolves", "Dynamo", "Lovers", "Choir",
    "Étoiles", "Tigers", "Apostles", "Republic", "Hustle", "Kids", "Project", "Society",
)  # fmt: skip
SPELLINGS = ("%s", "%s", "%s", "%s", "%s featuring Ana Núñez", "%s & The Strings", "%s (Live)", "%s_ Jr.")
"""How one artist_id is written; the first four weigh the plain name."""

TITLE_OPENERS = (
    "Mystery", "Parisian", "Working", "Earth", "Alien", "Broken", "Sweet", "Blue", "Last", "Slow", "Wild", "Silent",
    "Electric", "Summer", "Winter", "Golden", "Lonely", "Dancing", "Burning", "Falling", "Repente", "Värld", "Petite",
    "Dulce", "Midnight", "Paper", "Distant", "Hidden", "Crystal", "Rolling", "Second", "Secret",
)  # fmt: skip
TITLE_NOUNS = (
    "Babylon", "Walls", "Underground", "Messiah", "Cards", "Ticket", "Sabanales", "River", "Heart", "Train", "Rain",
    "City", "Radio", "Moon", "Sun", "Dreams", "Eyes", "Road", "Fire", "Ocean", "Corazón", "Nuit", "Hjärta", "Saudade",
    "Letter", "Mirror", "Garden", "Shadow", "Window", "Kingdom", "Bells", "Highway",
)  # fmt: skip
TITLE_ENDINGS = (
    "", "", "", "", "", "", "", "", " (Live)", " (Radio Edit)", " (Acoustic Version)", " Pt. II", " [Remastered]",
    " (Album Version)", " - Single", " No. 5",
)  # fmt: skip
TITLE_PATTERNS = ("%s %s", "%s %s", "The %s %s", "%s of the %s", "My %s %s", "%s & %s", "%s in %s", "O %s %s")
RELEASES = (
    "Healing of All Nations", "Omérta", "My Land is Your Land", "Uomini D'onore", "Limite das Aguas", "Greatest Hits",
    "Live at the Apollo", "Unplugged", "The Early Years", "Debut", "Volume 2", "Rarities & B-Sides", "Né à Paris",
    "Songs from the \"Attic\"", "Best of, Part 1", "Self-Titled",
)  # fmt: skip

USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 11.0) AppleWebKit/531.2 (KHTML, like Gecko) Chrome/19.0.859.0 Safari/531.2",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_2) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13 Safari/605",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (iPad; CPU iPad OS 9_3_5 like Mac OS X) AppleWebKit/534.0 (KHTML, like Gecko) FxiOS/11.2 Mobile",
    "Mozilla/5.0 (Linux; Android 10; Pixel 3) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0 Mobile Safari/537",
    "Mozilla/5.0 (Android 4.4.4; Mobile; rv:48.0) Gecko/48.0 Firefox/48.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:1.9.6.20) Gecko/2019-05-11 05:31:26 Firefox/3.8",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.0; Trident/5.0)",
    "Opera/9.82.(X11; Linux i686; ar-SA) Presto/2.9.184 Version/10.00",
    'DeFtunes/4.2 (Android; "beta"; ñ)',
    "curl/7.68.0",
)
