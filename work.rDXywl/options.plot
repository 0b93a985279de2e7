attention
help
json
out
quiet
