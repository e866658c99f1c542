//! The words that titles, overviews and names are put together from.

/// A spoken language.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Language {
    /// ISO 639-1, with TMDB's own `cn` and `xx`.
    pub(crate) code: &'static str,
    /// In the language itself.
    pub(crate) name: &'static str,
    pub(crate) english_name: &'static str,
}

const fn language(code: &'static str, name: &'static str, english_name: &'static str) -> Language {
    Language { code, name, english_name }
}

/// A country.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Country {
    /// ISO 3166-1.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
}

const fn country(code: &'static str, name: &'static str) -> Country {
    Country { code, name }
}

/// A genre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Genre {
    /// TMDB's id.
    pub(crate) id: u64,
    pub(crate) name: &'static str,
}

const fn genre(id: u64, name: &'static str) -> Genre {
    Genre { id, name }
}

/// What a member of the crew does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Job {
    pub(crate) department: &'static str,
    pub(crate) title: &'static str,
}

const fn job(department: &'static str, title: &'static str) -> Job {
    Job { department, title }
}

pub(crate) const ADJECTIVES: &[&str] = &[
    "Last",
    "Silent",
    "Broken",
    "Golden",
    "Hidden",
    "Crimson",
    "Endless",
    "Forgotten",
    "Burning",
    "Frozen",
    "Midnight",
    "Second",
    "Wild",
    "Bitter",
    "Electric",
    "Hollow",
    "Invisible",
    "Restless",
    "Savage",
    "Tender",
    "Distant",
    "Perfect",
    "Quiet",
    "Stolen",
    "Sunken",
    "Velvet",
    "Wounded",
    "Paper",
    "Iron",
    "Lonely",
    "Strange",
    "Secret",
];
pub(crate) const NOUNS: &[&str] = &[
    "Harbour",
    "Summer",
    "Promise",
    "River",
    "Orchard",
    "Empire",
    "Witness",
    "Garden",
    "Station",
    "Horizon",
    "Daughter",
    "Mirror",
    "Letter",
    "Mountain",
    "Verdict",
    "Island",
    "Machine",
    "Kingdom",
    "Shadow",
    "Voyage",
    "Winter",
    "Soldier",
    "Thief",
    "Song",
    "Carnival",
    "Signal",
    "Stranger",
    "Bridge",
    "Inheritance",
    "Lighthouse",
    "Tiger",
    "Parade",
    "Bakery",
    "Heist",
    "Café",
    "Dream",
];
pub(crate) const PLACES: &[&str] = &[
    "Lisbon",
    "the North",
    "Busan",
    "the Valley",
    "São Paulo",
    "Kyoto",
    "Dakar",
    "the Moon",
    "Elm Street",
    "Marseille",
    "Naples",
    "the Border",
    "Mumbai",
    "Kraków",
    "the Deep",
    "Montréal",
    "Tbilisi",
    "Havana",
    "the Old Town",
    "Zürich",
];
pub(crate) const PEOPLE: &[&str] = &[
    "a retired detective",
    "a young pianist",
    "a widowed fisherman",
    "two estranged sisters",
    "an exiled general",
    "a small-town teacher",
    "a disgraced surgeon",
    "three schoolfriends",
    "an undercover agent",
    "a stubborn grandmother",
    "a night-shift nurse",
    "a runaway heiress",
    "an ageing boxer",
    "a shy astronomer",
    "a team of smugglers",
];
pub(crate) const EVENTS: &[&str] = &[
    "discovers a letter that was never meant to be read",
    "is drawn into a crime that began decades ago",
    "has one night to put everything right",
    "takes in a stranger who knows too much",
    "returns home after twenty years",
    "must choose between family & the truth",
    "is the only witness to a murder",
    "finds a way to speak to the past",
    "sets out on a journey across a country at war",
    "loses everything in a single afternoon",
    "falls for the wrong person",
];
pub(crate) const OUTCOMES: &[&str] = &[
    "But nothing in this town stays buried for long.",
    "As the clock runs down, old loyalties are put to the test.",
    "What follows will change all of them for ever.",
    "The closer they come to the answer, the higher the price.",
    "Based on a true story.",
    "Soon no one can tell the hunters from the hunted.",
    "An unlikely friendship is their only hope.",
    "Meanwhile a storm is gathering, and with it a reckoning nobody \"ordered\".",
];
pub(crate) const TAGLINES: &[&str] = &[
    "Some doors should stay closed.",
    "Every family has a secret.",
    "Run first. Ask later.",
    "Love is the longest way home.",
    "The truth has a price.",
    "Nobody leaves twice.",
    "One night. No rules.",
    "It was never just a game.",
    "Home is where it hunts.",
];
pub(crate) const FIRST_NAMES: &[&str] = &[
    "Anna", "Jonas", "Mei", "Carlos", "Priya", "Tomasz", "Aiko", "Omar", "Lucía", "Erik", "Fatima",
    "Noah", "Chloé", "Ivan", "Grace", "Mateo", "Sofia", "Kwame", "Ingrid", "Hugo", "Leila",
    "Pavel", "Ruth", "Diego", "Zoë", "Samuel", "Yuna", "Björn",
];
pub(crate) const LAST_NAMES: &[&str] = &[
    "Keller",
    "Moreau",
    "Tanaka",
    "Okafor",
    "Silva",
    "Novak",
    "Larsen",
    "Haddad",
    "Rossi",
    "Kim",
    "Patel",
    "Ivanova",
    "O'Brien",
    "García",
    "Weiss",
    "Lindqvist",
    "Mensah",
    "Dubois",
    "Yamada",
    "Castro",
    "Berg",
    "Nguyen",
    "Fischer",
    "Çelik",
    "Abbott",
    "Sørensen",
];
pub(crate) const JOBS: &[Job] = &[
    job("Directing", "Director"),
    job("Writing", "Screenplay"),
    job("Production", "Producer"),
    job("Production", "Executive Producer"),
    job("Camera", "Director of Photography"),
    job("Editing", "Editor"),
    job("Sound", "Original Music Composer"),
    job("Art", "Production Design"),
    job("Costume & Make-Up", "Costume Design"),
    job("Crew", "Stunt Coordinator"),
    job("Visual Effects", "Visual Effects Supervisor"),
    job("Sound", "Sound Designer"),
    job("Production", "Casting"),
    job("Art", "Set Decoration"),
    job("Lighting", "Gaffer"),
];
pub(crate) const KEYWORDS: &[&str] = &[
    "based on novel or book",
    "friendship",
    "revenge",
    "small town",
    "coming of age",
    "time travel",
    "murder",
    "war",
    "dystopia",
    "love triangle",
    "sibling relationship",
    "road trip",
    "heist",
    "female protagonist",
    "robot",
    "courtroom",
    "1970s",
    "island",
    "musical",
    "survival",
    "journalist",
    "aftercreditsstinger",
    "anime",
    "found footage",
    "boxing",
    "política",
    "woman director",
];
/// The spoken languages; the first is by far the most frequent.
pub(crate) const LANGUAGES: &[Language] = &[
    language("en", "English", "English"),
    language("fr", "Français", "French"),
    language("es", "Español", "Spanish"),
    language("ja", "日本語", "Japanese"),
    language("de", "Deutsch", "German"),
    language("ko", "한국어/조선말", "Korean"),
    language("hi", "हिन्दी", "Hindi"),
    language("zh", "普通话", "Mandarin"),
    language("ru", "Pусский", "Russian"),
    language("it", "Italiano", "Italian"),
    language("ar", "العربية", "Arabic"),
    language("cn", "广州话 / 廣州話", "Cantonese"),
    language("yo", "", "Yoruba"),
    language("xx", "No Language", "No Language"),
];
/// Original titles by language code, for the scripts that a title of English words never shows.
pub(crate) const ORIGINALS: &[(&str, &[&str])] = &[
    (
        "fr",
        &[
            "L'Été des étrangers",
            "Le Dernier Métro du Nord",
            "Une promesse brisée",
            "À l'ombre du fleuve",
        ],
    ),
    (
        "es",
        &["El jardín secreto", "La última señal", "Mañana será otro día", "¿Dónde estás, corazón?"],
    ),
    ("ja", &["最後の灯台", "夏の約束", "銀河鉄道の手紙", "静かな島", "パレードの夜"]),
    ("de", &["Der stille Zeuge", "Die verlorene Brücke", "Größer als der Winter", "Über den Fluß"]),
    ("ko", &["마지막 약속", "겨울의 섬", "이방인", "잃어버린 편지"]),
    ("hi", &["आख़िरी वादा", "खोया हुआ शहर", "नदी के पार"]),
    ("zh", &["最后的灯塔", "夏日花园", "陌生人来信", "铁桥"]),
    ("ru", &["Последний мост", "Тихая гавань", "Чужой голос"]),
    ("it", &["L'isola che resta", "La città perduta", "Perché no?"]),
    ("ar", &["الوعد الأخير", "حديقة الشتاء", "رسالة من الغريب"]),
    ("cn", &["無聲的証人", "午夜列車", "金色童年"]),
    ("yo", &["Ìlérí Ìkẹyìn", "Odò Wúrà"]),
    ("xx", &["…", "Ohne Titel № 4"]),
];
pub(crate) const GENRES: &[Genre] = &[
    genre(18, "Drama"),
    genre(35, "Comedy"),
    genre(53, "Thriller"),
    genre(28, "Action"),
    genre(10749, "Romance"),
    genre(27, "Horror"),
    genre(99, "Documentary"),
    genre(80, "Crime"),
    genre(12, "Adventure"),
    genre(878, "Science Fiction"),
    genre(10751, "Family"),
    genre(14, "Fantasy"),
    genre(9648, "Mystery"),
    genre(16, "Animation"),
    genre(36, "History"),
    genre(10752, "War"),
    genre(10402, "Music"),
    genre(37, "Western"),
    genre(10770, "TV Movie"),
];
pub(crate) const COUNTRIES: &[Country] = &[
    country("US", "United States of America"),
    country("FR", "France"),
    country("GB", "United Kingdom"),
    country("JP", "Japan"),
    country("DE", "Germany"),
    country("KR", "South Korea"),
    country("IN", "India"),
    country("CN", "China"),
    country("ES", "Spain"),
    country("IT", "Italy"),
    country("BR", "Brazil"),
    country("CA", "Canada"),
    country("HK", "Hong Kong"),
    country("RU", "Russia"),
    country("SE", "Sweden"),
    country("NG", "Nigeria"),
    country("MX", "Mexico"),
    country("CI", "Cote D'Ivoire"),
];
