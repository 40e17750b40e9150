"""Where customers live: real cities with coordinates, time zone, and the share of customers they send.

Latitude and longitude are degrees times 100,000 (integers, so that printing them is exact).
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One city; ``region`` selects the list of names its people carry, ``weight`` its share."""

    latitude_e5: int
    longitude_e5: int
    name: str
    country_code: str
    timezone: str
    region: str
    weight: int


PLACES = (
    Place(4071427, -7400597, "New York", "US", "America/New_York", "english", 90),
    Place(3405223, -11824368, "Los Angeles", "US", "America/Los_Angeles", "english", 80),
    Place(4185003, -8765005, "Chicago", "US", "America/Chicago", "english", 55),
    Place(3889511, -7703637, "Washington, D.C.", "US", "America/New_York", "english", 30),
    Place(3616589, -8678444, "Nashville", "US", "America/Chicago", "english", 35),
    Place(3026715, -9774306, "Austin", "US", "America/Chicago", "english", 35),
    Place(4760621, -12233207, "Seattle", "US", "America/Los_Angeles", "english", 30),
    Place(2130694, -15785833, "Honolulu", "US", "Pacific/Honolulu", "english", 6),
    Place(5150853, -12574, "London", "GB", "Europe/London", "english", 60),
    Place(5348095, -223743, "Manchester", "GB", "Europe/London", "english", 25),
    Place(5586515, -425763, "Glasgow", "GB", "Europe/London", "english", 14),
    Place(5260142, -137, "King's Lynn", "GB", "Europe/London", "english", 4),
    Place(5333306, -624889, "Dublin", "IE", "Europe/Dublin", "english", 12),
    Place(4370011, -7941630, "Toronto", "CA", "America/Toronto", "english", 26),
    Place(4550884, -7358781, "Montréal", "CA", "America/Toronto", "french", 18),
    Place(-3386785, 15120732, "Sydney", "AU", "Australia/Sydney", "english", 22),
    Place(-3784000, 14494600, "Melbourne", "AU", "Australia/Melbourne", "english", 20),
    Place(-3684853, 17476349, "Auckland", "NZ", "Pacific/Auckland", "english", 7),
    Place(4885341, 234880, "Paris", "FR", "Europe/Paris", "french", 40),
    Place(4574846, 484671, "Lyon", "FR", "Europe/Paris", "french", 14),
    Place(4632313, -45877, "Niort", "FR", "Europe/Paris", "french", 4),
    Place(4893333, 236667, "Saint-Denis", "FR", "Europe/Paris", "french", 6),
    Place(5085045, 434878, "Brussels", "BE", "Europe/Brussels", "french", 9),
    Place(5252437, 1341053, "Berlin", "DE", "Europe/Berlin", "german", 38),
    Place(5357532, 1001534, "Hamburg", "DE", "Europe/Berlin", "german", 18),
    Place(4813743, 1157549, "München", "DE", "Europe/Berlin", "german", 20),
    Place(4736667, 855000, "Zürich", "CH", "Europe/Zurich", "german", 10),
    Place(4820849, 1637208, "Wien", "AT", "Europe/Vienna", "german", 11),
    Place(5237403, 488969, "Amsterdam", "NL", "Europe/Amsterdam", "german", 15),
    Place(4041650, -370256, "Madrid", "ES", "Europe/Madrid", "spanish", 22),
    Place(4138879, 215899, "Barcelona", "ES", "Europe/Madrid", "spanish", 18),
    Place(4336029, -584476, "Oviedo", "ES", "Europe/Madrid", "spanish", 4),
    Place(1942847, -9912766, "Ciudad de México", "MX", "America/Mexico_City", "spanish", 28),
    Place(460971, -7408175, "Bogotá", "CO", "America/Bogota", "spanish", 14),
    Place(-3461315, -5837723, "Buenos Aires", "AR", "America/Argentina/Buenos_Aires", "spanish", 16),
    Place(-3345694, -7064827, "Santiago", "CL", "America/Santiago", "spanish", 10),
    Place(3871667, -913333, "Lisboa", "PT", "Europe/Lisbon", "portuguese", 9),
    Place(-2354750, -4663611, "São Paulo", "BR", "America/Sao_Paulo", "portuguese", 34),
    Place(-2290642, -4318223, "Rio de Janeiro", "BR", "America/Sao_Paulo", "portuguese", 20),
    Place(4189193, 1251133, "Roma", "IT", "Europe/Rome", "italian", 16),
    Place(4546427, 918951, "Milano", "IT", "Europe/Rome", "italian", 16),
    Place(4235055, 1339954, "L'Aquila", "IT", "Europe/Rome", "italian", 3),
    Place(5932938, 1806871, "Stockholm", "SE", "Europe/Stockholm", "nordic", 13),
    Place(5991273, 1074609, "Oslo", "NO", "Europe/Oslo", "nordic", 8),
    Place(5567594, 1256553, "København", "DK", "Europe/Copenhagen", "nordic", 8),
    Place(6016952, 2493545, "Helsinki", "FI", "Europe/Helsinki", "nordic", 6),
    Place(6413548, -2189541, "Reykjavík", "IS", "Atlantic/Reykjavik", "nordic", 2),
    Place(5222977, 2101178, "Warszawa", "PL", "Europe/Warsaw", "slavic", 12),
    Place(5008804, 1442076, "Praha", "CZ", "Europe/Prague", "slavic", 8),
    Place(5045466, 3052380, "Kyiv", "UA", "Europe/Kyiv", "slavic", 8),
    Place(4469278, 1732444, "Šibenik", "HR", "Europe/Zagreb", "slavic", 2),
    Place(3568950, 13969171, "Tokyo", "JP", "Asia/Tokyo", "japanese", 24),
    Place(3469374, 13550218, "Ōsaka", "JP", "Asia/Tokyo", "japanese", 12),
    Place(3756600, 12697840, "Seoul", "KR", "Asia/Seoul", "korean", 16),
    Place(2504776, 12153185, "Taipei", "TW", "Asia/Taipei", "chinese", 9),
    Place(2227832, 11417469, "Hong Kong", "HK", "Asia/Hong_Kong", "chinese", 9),
    Place(128967, 10385007, "Singapore", "SG", "Asia/Singapore", "chinese", 7),
    Place(1907283, 7288261, "Mumbai", "IN", "Asia/Kolkata", "indian", 16),
    Place(1297194, 7759369, "Bengaluru", "IN", "Asia/Kolkata", "indian", 12),
    Place(3006263, 3124967, "Cairo", "EG", "Africa/Cairo", "arabic", 7),
    Place(4101384, 2894966, "İstanbul", "TR", "Europe/Istanbul", "arabic", 10),
    Place(645407, 339467, "Lagos", "NG", "Africa/Lagos", "english", 9),
    Place(-2620227, 2804363, "Johannesburg", "ZA", "Africa/Johannesburg", "english", 8),
)
