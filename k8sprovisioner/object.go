package k8sprovisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// object is one rendered object. It has exactly the fields that this package owns, as they
// are sent in a server-side apply.
type object struct {
	kind string // e.g. "StatefulSet"
	name string
	body map[string]any // numbers are int64, as in a decoded live object
}

// String returns the kind and the name, for people.
func (o object) String() string { return o.kind + " " + o.name }

// json returns the body to send. Maps are encoded in order of their keys.
func (o object) json() []byte {
	b, err := json.Marshal(o.body)
	if err != nil {
		panic(fmt.Sprintf("encode %v: %v", o, err)) // made of JSON, so it encodes
	}
	return b
}

// hash returns the hash that the object has as an annotation.
func (o object) hash() string {
	h, _ := o.metadata()["annotations"].(map[string]any)[annotationHash].(string)
	return h
}

func (o object) metadata() map[string]any {
	m, _ := o.body["metadata"].(map[string]any)
	return m
}

// newObject turns an apply configuration into an object with the hash of all its fields.
// A field that is no longer rendered changes the hash, so that the object is written
// again, and the API server removes the field.
func newObject(kind, name string, applyConfiguration any) (object, error) {
	o, err := decoded(kind, name, applyConfiguration)
	if err != nil {
		return o, err
	}
	sum := sha256.Sum256(o.json())
	o.setHash(sum[:8])
	return o, nil
}

// decoded turns an apply configuration into an object without a hash.
func decoded(kind, name string, applyConfiguration any) (object, error) {
	b, err := json.Marshal(applyConfiguration)
	if err != nil {
		return object{}, fmt.Errorf("render %s %s: %w", kind, name, err)
	}
	o := object{kind: kind, name: name}
	if err := utiljson.Unmarshal(b, &o.body); err != nil {
		return object{}, fmt.Errorf("render %s %s: %w", kind, name, err)
	}
	return o, nil
}

// setHash sets the annotation with the hash.
func (o object) setHash(hash []byte) {
	annotations, ok := o.metadata()["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		o.metadata()["annotations"] = annotations
	}
	annotations[annotationHash] = hex.EncodeToString(hash)
}

// stamped returns the object to send. It has the stamp of the lease, unless that is empty,
// and the UID and version of the object that was seen, unless that is nil. Neither is
// part of what is compared.
func (o object) stamped(stamp string, seen metav1.Object) object {
	if stamp == "" && seen == nil {
		return o
	}
	o.body = maps.Clone(o.body)
	metadata := maps.Clone(o.metadata())
	if metadata == nil {
		metadata = map[string]any{}
	}
	o.body["metadata"] = metadata
	if stamp != "" {
		annotations, _ := metadata["annotations"].(map[string]any)
		annotations = maps.Clone(annotations)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[annotationEpoch] = stamp
		metadata["annotations"] = annotations
	}
	if seen != nil {
		metadata["uid"] = string(seen.GetUID())
		if v := seen.GetResourceVersion(); v != "" {
			metadata["resourceVersion"] = v
		}
	}
	return o
}
