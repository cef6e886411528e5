package validate

// smallObject is the number of keys up to which each key is compared with all before it. A
// larger object gets a set of its keys.
const smallObject = 16

// keySet finds duplicate keys in one object.
type keySet struct {
	first int // node of the object's first key
	count int
	seen  map[string]struct{} // nil while the object is small
}

// repeated reports whether the key that was scanned last occurs earlier in the object too.
func (k *keySet) repeated(s *scanner) bool {
	t := tape{text: s.text, nodes: s.nodes}
	last := uint32(len(s.nodes) - 1)
	key := t.string(last)
	k.count++
	if k.count <= smallObject {
		for i := uint32(k.first); i < last; i = t.next(i + 1) {
			if t.string(i) == key {
				return true
			}
		}
		return false
	}
	// The object has just become large: the set begins with the keys so far.
	if k.seen == nil {
		k.seen = make(map[string]struct{}, 2*smallObject)
		for i := uint32(k.first); i < last; i = t.next(i + 1) {
			k.seen[t.string(i)] = struct{}{}
		}
	}
	if _, repeated := k.seen[key]; repeated {
		return true
	}
	k.seen[key] = struct{}{}
	return false
}
