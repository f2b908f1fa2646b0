package archtest

const wordsFile = "internal/archtest/words_table_test.go"

// retiredWord is a word that the tree used for something that has a name in the
// field, or a plainer one.
type retiredWord struct {
	word  string // in lower case; of a name in several words, each: "take back"
	forms string // further forms of it, separated by commas
	use   string // what to write in its place
	// Where the word counts. Names are what Go files declare, and the names of the
	// files. With nothing set it counts wherever it is part of a name.
	whole bool // only as a whole name
	prose bool // in comments, strings and pages of documentation, too
	verb  bool // only where the comment of a function begins with it
	// but are files that may have the word, separated by commas.
	but string
}

// retiredWords says which words must not come back, and what to use instead.
// docs/glossary.md has the words of our own that stayed.
var retiredWords = []retiredWord{
	// One spelling, as Go and EMQX have it.
	{
		word: "licence", forms: "licences,licenced,licencing", use: `"license"`, prose: true,
		but: "ecp/catalog/secrets.go, ecp/change/idempotency.go", // which read what earlier builds stored
	},

	// The engine: observe, derive the state, act, persist, requeue.
	{word: "judge", forms: "judges,judged,judgement,judging", use: `"derive" (the state), "decide"`, prose: true},
	{word: "deed", forms: "deeds", use: `"outcome"`, prose: true},
	{word: "complain", forms: "complains", use: `"logFailure"`},
	{word: "look at", use: `"observe"`},
	{word: "look", forms: "looks", use: `"observation", "snapshot"`},
	{word: "node move", use: `"rolloutStep"`},
	{word: "next move", use: `"nextRolloutStep"`},
	{word: "vacate", forms: "vacates,vacated,vacating", use: `"drain"; EMQX's own call is "evacuate"`, prose: true},
	{word: "take back", forms: "takes back", use: `"undrain"`},
	{word: "given up", use: `"drainTimedOut"`},
	{word: "leaving", use: `"draining"`, whole: true},
	{
		word: "departure", forms: "departures", use: `"TransferNotice"`, prose: true,
		but: "ecp/records.go", // which names what is stored
	},
	{word: "truth", use: `"ConditionStatus"`, whole: true},
	{word: "deaf", use: `"NoAdapter"`},
	{word: "roster", forms: "rosters", use: `"listIndex"`, prose: true},
	{word: "shelf", forms: "shelves", use: `"catalog"`, prose: true},
	{word: "pile", forms: "piles", use: `"defaults"`},
	{word: "inquiry", forms: "inquiries,inquire", use: `"query"`, prose: true},
	{word: "bury", forms: "buries,buried", use: `"tombstone"`, prose: true},
	{word: "furnish", forms: "furnishes,furnished", use: `"seed"`, prose: true},
	{word: "tidy", forms: "tidies,tidied", use: `"prune"`},

	// The platform and the proxy.
	{word: "eyes", use: `"watchState"`},
	{word: "sight", use: `"informers"`},
	{word: "traces", use: `"secretRefs"`, whole: true},
	{word: "quay", use: `"portPool"`, prose: true},
	{word: "berth", forms: "berths", use: `"port"`, prose: true},
	{word: "dog", use: `"watchdog"`},
	{word: "book", use: `"sessions"`, whole: true},
	{word: "doors", use: `"listeners"`},
	{word: "habits", use: `"errors"`},
	{word: "notation", use: `"decode"`},
	{word: "face4", forms: "face5", use: `"api4", "api5"`},

	// Comments in the words of Go's own documentation.
	{word: "gives", use: `"returns"`, verb: true},
	{word: "says whether", use: `"reports whether"`, verb: true},
	{word: "tells whether", forms: "tells if,says if", use: `"reports whether"`, verb: true},
}

// stillUsed names, for each package or page, the words that it has not got rid of
// yet. The list only ever gets shorter: whoever mends a package takes its words
// off, and nothing is added.
var stillUsed = map[string]string{}
