package agentproto

import "net/http"

// noRegistrar answers for a server that registers nobody.
type noRegistrar struct{}

func (noRegistrar) register(w http.ResponseWriter, r *http.Request)   { http.NotFound(w, r) }
func (noRegistrar) unregister(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
