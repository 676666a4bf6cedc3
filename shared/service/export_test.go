package service

// ComparedNodes is comparedNodes, for tests.
var ComparedNodes = comparedNodes
