package emqxsim

import (
	"maps"
	"net/http"
	"slices"
)

// A resource of EMQX 4.4 is a connection to an external system. It covers what EMQX 5
// divides into connectors, actions and sources.

// resource returns a resource by its id, or nil.
func (c *call4) resource(id string) *resource {
	i := slices.IndexFunc(c.db.resources, func(r *resource) bool { return r.kind == kindConnector && r.name == id })
	if i < 0 {
		return nil
	}
	return c.db.resources[i]
}

func (r *resource) alive(n *Node) bool {
	status, _ := r.status(n)
	return status == connected
}

func showResource(r *resource) obj {
	return obj{"id": r.name, "type": r.typ, "description": text(r.conf["description"]), "config": configOf4(r)}
}

// configOf4 returns the configuration of a resource with its defaults.
func configOf4(r *resource) obj {
	out := obj{}
	maps.Copy(out, resourceDefaults4[r.typ])
	maps.Copy(out, r.conf)
	delete(out, "description")
	return out
}

func resources4(c *call4) answer {
	list := []obj{}
	for _, r := range c.db.ofKind(kindConnector) {
		o := showResource(r)
		o["status"] = r.alive(c.n)
		list = append(list, o)
	}
	return data4(list)
}

// showResource4 shows one resource with its state on each node.
func showResource4(c *call4) answer {
	r := c.resource(c.params["id"])
	if r == nil {
		return code4(http.StatusNotFound, "Not Found")
	}
	o := showResource(r)
	status := []obj{}
	for _, m := range c.running() {
		status = append(status, obj{"node": m.name, "is_alive": r.alive(m)})
	}
	o["status"] = status
	return data4(o)
}

func resourceStatus4(c *call4) answer {
	r := c.resource(c.params["id"])
	if r == nil {
		return code4(http.StatusBadRequest, "Resource "+c.params["id"]+" Not Found")
	}
	if !r.alive(c.n) { // a resource that is not connected has no status
		return code4(http.StatusBadRequest, "Resource "+c.params["id"]+" Not Found")
	}
	return data4(obj{"is_alive": true})
}

// createResource4 creates a resource, or only tries to connect it if the query has
// test=true.
func createResource4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	typ := text(in["type"])
	if typ == "" {
		return crashed4()
	}
	if _, known := resourceDefaults4[typ]; !known {
		return code4(http.StatusBadRequest, "Bad Arguments: {resource_type_not_found,"+typ+"}")
	}
	conf := obj{"description": text(in["description"])}
	given, _ := in["config"].(map[string]any)
	maps.Copy(conf, given)
	if typ == "web_hook" && text(conf["url"]) == "" {
		return crashed4()
	}
	r := &resource{kind: kindConnector, typ: typ, name: text(in["id"]), enable: true, conf: conf}
	if c.URL.Query().Get("test") == "true" {
		if !r.alive(c.n) {
			return code4(http.StatusInternalServerError, "Init resource failure!")
		}
		return done4()
	}
	if r.name == "" {
		r.name = "resource:" + c.db.id()
	}
	if c.resource(r.name) != nil {
		return code4(http.StatusBadRequest, "Already Exists")
	}
	c.db.add(r, c.now)
	return data4(showResource(r))
}

// resourceDefaults4 holds the known types of resources and the defaults of their
// configuration.
var resourceDefaults4 = map[string]obj{
	"web_hook": {
		"pool_size": 8, "connect_timeout": "5s", "request_timeout": "5s",
		"enable_pipelining": true, "verify": false, "cacertfile": "", "certfile": "", "keyfile": "",
	},
	"bridge_mqtt": {"address": "127.0.0.1:1883", "pool_size": 8, "clientid": "", "reconnect_interval": "30s",
		"disk_cache": "off"},
	"backend_kafka": {}, "backend_mysql": {}, "backend_pgsql": {}, "backend_redis": {}, "backend_mongo_single": {},
}

// startResource4 reconnects a resource. The broker does not know why that fails, and the
// text of a failure is not recorded.
func startResource4(c *call4) answer {
	r := c.resource(c.params["id"])
	if r == nil {
		return code4(http.StatusBadRequest, "Resource "+c.params["id"]+" Not Found")
	}
	if !r.alive(c.n) {
		return code4(http.StatusInternalServerError, "Start resource failure!")
	}
	return done4()
}

// updateResource4 changes the configuration or the description. The text of a failure is
// not recorded.
func updateResource4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	r := c.resource(c.params["id"])
	if r == nil {
		return code4(http.StatusBadRequest, "Resource "+c.params["id"]+" Not Found")
	}
	conf := obj{"description": r.conf["description"]}
	given, ok := in["config"].(map[string]any)
	if !ok {
		given = r.conf
	}
	maps.Copy(conf, given)
	if v, ok := in["description"].(string); ok {
		conf["description"] = v
	}
	changed := *r
	if changed.conf = conf; !changed.alive(c.n) {
		return code4(http.StatusInternalServerError, "Init resource failure!")
	}
	r.conf, r.modified = conf, c.now
	return done4()
}

func deleteResource4(c *call4) answer {
	if r := c.resource(c.params["id"]); r != nil {
		c.db.remove(r)
	}
	return done4()
}
