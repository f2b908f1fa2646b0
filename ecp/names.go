package ecp

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be asked for.
const (
	MaxName        = 200 // characters of a cluster's name
	MaxDescription = 500 // characters of a description
	MaxNodes       = 7   // core nodes of a hosted cluster
	MaxReplicants  = 20  // replicants beside them
	MaxConnections = 100_000_000
)

// ValidateName says what is wrong with a cluster's name; "" if nothing. A name
// has 1 to 200 characters: letters of any script, digits, space, "-" and "_",
// with no space at either end.
func ValidateName(name string) string {
	if !utf8.ValidString(name) {
		return "is not valid UTF-8"
	}
	n := utf8.RuneCountInString(name)
	if n == 0 {
		return "is missing; give 1 to 200 characters"
	}
	if n > MaxName {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, MaxName)
	}
	before := ' '
	for _, r := range name {
		if !inName(before, r) {
			return fmt.Sprintf("has the character %q; letters, digits, space, \"-\" and \"_\" are allowed", r)
		}
		before = r
	}
	if strings.TrimSpace(name) != name {
		return "begins or ends with a space"
	}
	if c := composedName(name); c != name { // else two names would look the same
		return fmt.Sprintf("has letters and their accents as characters of their own; write it as %q", c)
	}
	return ""
}

// inName reports whether a name may have r after another character. Many scripts
// write vowels and accents as marks of their own: they belong to the letter
// before them. What nobody can see is left out, so that names which look the
// same are the same.
func inName(before, r rune) bool {
	switch {
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false
	case unicode.In(r, unicode.Mn, unicode.Mc):
		return unicode.IsLetter(before) || unicode.In(before, unicode.Mn, unicode.Mc)
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == ' ' || r == '-' || r == '_'
}

var projectForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateProject says what is wrong with the form of a project's path; "" if nothing.
func ValidateProject(path string) string {
	if projectForm.MatchString(path) {
		return ""
	}
	return `is not of the form "org/project" (lower-case letters, digits and "-")`
}

// composed holds, by the mark, the letters that have a character of their own
// together with it: pairs of the letter and that character. They are the
// canonical compositions of Unicode 14 of which names can be made; those of
// Hangul follow a rule.
var composed = map[rune]string{
	'\u0300': "AÀEÈIÌNǸOÒUÙWẀYỲaàeèiìnǹoòuùwẁyỳÂẦÊỀÔỒÜǛâầêềôồüǜĂẰăằĒḔēḕŌṐōṑƠỜơờƯỪưừΑᾺΕῈΗῊΙῚΟῸΥῪΩῺαὰεὲηὴιὶοὸυὺωὼ" +
		"ϊῒϋῢЕЀИЍеѐиѝἀἂἁἃἈἊἉἋἐἒἑἓἘἚἙἛἠἢἡἣἨἪἩἫἰἲἱἳἸἺἹἻὀὂὁὃὈὊὉὋὐὒὑὓὙὛὠὢὡὣὨὪὩὫ",
	'\u0301': "AÁCĆEÉGǴIÍKḰLĹMḾNŃOÓPṔRŔSŚUÚWẂYÝZŹaácćeégǵiíkḱlĺmḿnńoópṕrŕsśuúwẃyýzźÂẤÅǺÆǼÇḈÊẾÏḮÔỐÕṌØǾÜǗâấåǻæǽçḉ" +
		"êếïḯôốõṍøǿüǘĂẮăắĒḖēḗŌṒōṓŨṸũṹƠỚơớƯỨưứΑΆΕΈΗΉΙΊΟΌΥΎΩΏαάεέηήιίοόυύωώϊΐϋΰϒϓГЃКЌгѓкќἀἄἁἅἈἌἉἍἐἔἑἕἘἜἙἝἠἤ" +
		"ἡἥἨἬἩἭἰἴἱἵἸἼἹἽὀὄὁὅὈὌὉὍὐὔὑὕὙὝὠὤὡὥὨὬὩὭ",
	'\u0302': "AÂCĈEÊGĜHĤIÎJĴOÔSŜUÛWŴYŶZẐaâcĉeêgĝhĥiîjĵoôsŝuûwŵyŷzẑẠẬạậẸỆẹệỌỘọộ",
	'\u0303': "AÃEẼIĨNÑOÕUŨVṼYỸaãeẽiĩnñoõuũvṽyỹÂẪÊỄÔỖâẫêễôỗĂẴăẵƠỠơỡƯỮưữ",
	'\u0304': "AĀEĒGḠIĪOŌUŪYȲaāeēgḡiīoōuūyȳÄǞÆǢÕȬÖȪÜǕäǟæǣõȭöȫüǖǪǬǫǭȦǠȧǡȮȰȯȱΑᾹΙῙΥῩαᾱιῑυῡИӢУӮиӣуӯḶḸḷḹṚṜṛṝ",
	'\u0306': "AĂEĔGĞIĬOŎUŬaăeĕgğiĭoŏuŭȨḜȩḝΑᾸΙῘΥῨαᾰιῐυῠАӐЕӖЖӁИЙУЎаӑеӗжӂийуўẠẶạặ",
	'\u0307': "AȦBḂCĊDḊEĖFḞGĠHḢIİMṀNṄOȮPṖRṘSṠTṪWẆXẊYẎZŻaȧbḃcċdḋeėfḟgġhḣmṁnṅoȯpṗrṙsṡtṫwẇxẋyẏzżŚṤśṥŠṦšṧſẛṢṨṣṩ",
	'\u0308': "AÄEËHḦIÏOÖUÜWẄXẌYŸaäeëhḧiïoötẗuüwẅxẍyÿÕṎõṏŪṺūṻΙΪΥΫιϊυϋϒϔІЇАӒЕЁЖӜЗӞИӤОӦУӰЧӴЫӸЭӬаӓеёжӝзӟиӥоӧуӱчӵыӹ" +
		"эӭіїӘӚәӛӨӪөӫ",
	'\u0309': "AẢEẺIỈOỎUỦYỶaảeẻiỉoỏuủyỷÂẨÊỂÔỔâẩêểôổĂẲăẳƠỞơởƯỬưử",
	'\u030a': "AÅUŮaåuůwẘyẙ",
	'\u030b': "OŐUŰoőuűУӲуӳ",
	'\u030c': "AǍCČDĎEĚGǦHȞIǏKǨLĽNŇOǑRŘSŠTŤUǓZŽaǎcčdďeěgǧhȟiǐjǰkǩlľnňoǒrřsštťuǔzžÜǙüǚƷǮʒǯ",
	'\u030f': "AȀEȄIȈOȌRȐUȔaȁeȅiȉoȍrȑuȕѴѶѵѷ",
	'\u0311': "AȂEȆIȊOȎRȒUȖaȃeȇiȋoȏrȓuȗ",
	'\u0313': "ΑἈΕἘΗἨΙἸΟὈΩὨαἀεἐηἠιἰοὀρῤυὐωὠ",
	'\u0314': "ΑἉΕἙΗἩΙἹΟὉΡῬΥὙΩὩαἁεἑηἡιἱοὁρῥυὑωὡ",
	'\u031b': "OƠUƯoơuư",
	'\u0323': "AẠBḄDḌEẸHḤIỊKḲLḶMṂNṆOỌRṚSṢTṬUỤVṾWẈYỴZẒaạbḅdḍeẹhḥiịkḳlḷmṃnṇoọrṛsṣtṭuụvṿwẉyỵzẓƠỢơợƯỰưự",
	'\u0324': "UṲuṳ",
	'\u0325': "AḀaḁ",
	'\u0326': "SȘTȚsștț",
	'\u0327': "CÇDḐEȨGĢHḨKĶLĻNŅRŖSŞTŢcçdḑeȩgģhḩkķlļnņrŗsştţ",
	'\u0328': "AĄEĘIĮOǪUŲaąeęiįoǫuų",
	'\u032d': "DḒEḘLḼNṊTṰUṶdḓeḙlḽnṋtṱuṷ",
	'\u032e': "HḪhḫ",
	'\u0330': "EḚIḬUṴeḛiḭuṵ",
	'\u0331': "BḆDḎKḴLḺNṈRṞTṮZẔbḇdḏhẖkḵlḻnṉrṟtṯzẕ",
	'\u0342': "αᾶηῆιῖυῦωῶϊῗϋῧἀἆἁἇἈἎἉἏἠἦἡἧἨἮἩἯἰἶἱἷἸἾἹἿὐὖὑὗὙὟὠὦὡὧὨὮὩὯ",
	'\u0345': "ΑᾼΗῌΩῼάᾴήῄαᾳηῃωῳώῴἀᾀἁᾁἂᾂἃᾃἄᾄἅᾅἆᾆἇᾇἈᾈἉᾉἊᾊἋᾋἌᾌἍᾍἎᾎἏᾏἠᾐἡᾑἢᾒἣᾓἤᾔἥᾕἦᾖἧᾗἨᾘἩᾙἪᾚἫᾛἬᾜἭᾝἮᾞἯᾟὠᾠὡᾡὢᾢὣᾣὤᾤὥᾥὦᾦ" +
		"ὧᾧὨᾨὩᾩὪᾪὫᾫὬᾬὭᾭὮᾮὯᾯὰᾲὴῂὼῲᾶᾷῆῇῶῷ",
	'\u0653':     "اآ",
	'\u0654':     "اأوؤيئہۂےۓەۀ",
	'\u0655':     "اإ",
	'\u093c':     "नऩरऱळऴ",
	'\u09be':     "\u09c7\u09cb",
	'\u09d7':     "\u09c7\u09cc",
	'\u0b3e':     "\u0b47\u0b4b",
	'\u0b56':     "\u0b47\u0b48",
	'\u0b57':     "\u0b47\u0b4c",
	'\u0bbe':     "\u0bc6\u0bca\u0bc7\u0bcb",
	'\u0bd7':     "ஒஔ\u0bc6\u0bcc",
	'\u0c56':     "\u0c46\u0c48",
	'\u0cc2':     "\u0cc6\u0cca",
	'\u0cd5':     "\u0cbf\u0cc0\u0cc6\u0cc7\u0cca\u0ccb",
	'\u0cd6':     "\u0cc6\u0cc8",
	'\u0d3e':     "\u0d46\u0d4a\u0d47\u0d4b",
	'\u0d57':     "\u0d46\u0d4c",
	'\u0dca':     "\u0dd9\u0dda\u0ddc\u0ddd",
	'\u0dcf':     "\u0dd9\u0ddc",
	'\u0ddf':     "\u0dd9\u0dde",
	'\u102e':     "ဥဦ",
	'\u1b35':     "ᬅᬆᬇᬈᬉᬊᬋᬌᬍᬎᬑᬒ\u1b3a\u1b3b\u1b3c\u1b3d\u1b3e\u1b40\u1b3f\u1b41\u1b42\u1b43",
	'\u3099':     "うゔかがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどはばひびふぶへべほぼゝゞウヴカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドハバヒビフブヘベホボワヷヰヸヱヹヲヺヽヾ",
	'\u309a':     "はぱひぴふぷへぺほぽハパヒピフプヘペホポ",
	'\U000110ba': "\U00011099\U0001109a\U0001109b\U0001109c\U000110a5\U000110ab",
	'\U00011127': "\U00011131\U0001112e\U00011132\U0001112f",
	'\U0001133e': "\U00011347\U0001134b",
	'\U00011357': "\U00011347\U0001134c",
	'\U000114b0': "\U000114b9\U000114bc",
	'\U000114ba': "\U000114b9\U000114bb",
	'\U000114bd': "\U000114b9\U000114be",
	'\U000115af': "\U000115b8\U000115ba\U000115b9\U000115bb",
	'\U00011930': "\U00011935\U00011938",
}

// Hangul syllables are computed: a leading consonant and a vowel, or such a
// syllable and a trailing consonant (Unicode, chapter 3.12).
const (
	hangulL, hangulV, hangulT, hangulS = 0x1100, 0x1161, 0x11a7, 0xac00
	hangulLs, hangulVs, hangulTs       = 19, 21, 28
)

// compose returns the one character that two stand for; 0 = there is none.
func compose(a, b rune) rune {
	if l, v := a-hangulL, b-hangulV; 0 <= l && l < hangulLs && 0 <= v && v < hangulVs {
		return hangulS + (l*hangulVs+v)*hangulTs
	}
	if s, t := a-hangulS, b-hangulT; 0 <= s && s < hangulLs*hangulVs*hangulTs && s%hangulTs == 0 && 0 < t &&
		t < hangulTs {
		return a + t
	}
	pairs := []rune(composed[b])
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == a {
			return pairs[i+1]
		}
	}
	return 0
}

// composedName returns a name as it is written with composed characters
// (Unicode's form NFC): people see no difference, programs do. Marks that are
// not in their canonical order stay as they are.
func composedName(name string) string {
	var out []rune
	for _, r := range name {
		if n := len(out); n > 0 {
			if c := compose(out[n-1], r); c != 0 {
				out[n-1] = c
				continue
			}
		}
		out = append(out, r)
	}
	return string(out)
}
