package sqlstore

// statement is one of those that transactions are made of; each engine has its own
// words for it.
type statement int

const (
	getRecord statement = iota
	listAll
	listProject
	listParent
	listBoth
	insertRecord
	updateRecord
	upsertRecord
	deleteRecord
	insertChange
	lastSeq
	firstSeq
	listChanges
	firstSince
	purgeChanges
	listEvery  // of all kinds
	statements // how many there are
)

const (
	recordColumns = "kind, key, project, name, parent, state, version, at, payload"
	changeColumns = "seq, at, kind, key, project, name, parent, state, deleted, payload"
)

// readFrom are the statements that reading needs.
var readFrom = []statement{getRecord, listAll, listProject, listParent, listBoth, lastSeq, firstSeq, listChanges,
	listEvery}

// A taken is a constraint that refused a write.
type taken int

const (
	notTaken taken = iota
	keyTaken
	nameTaken
)
