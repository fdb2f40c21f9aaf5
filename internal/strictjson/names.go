package strictjson

// Names is a set of names that notices a repeated one. The zero Names is empty. Up to 16 names
// take no allocation.
type Names struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

// Add adds a name. It returns false if the set had it already.
func (s *Names) Add(name string) bool {
	for _, other := range s.few[:s.n] {
		if other == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, ok := s.many[name]; ok {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}
