// The script of `proteus completion bash`.
//
// - Needs nothing but bash 4.4. Nothing that stands on the line is evaluated.
// - Bash cuts words at `:` and `=`; they are put together again, and what it will not replace
//   is taken off the answers.

export const bashScript = `# Completion of proteus for bash: source <(proteus completion bash)
__proteus_complete() {
  local word value about current kept="" glue="" directive=4
  local -a words=()
  local -i index
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ -z $word && \${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]]; then glue=""; fi
    if [[ $word == [:=]* && \${#words[@]} -gt 0 ]]; then words[-1]+=$word; glue=yes
    elif [[ -n $glue ]]; then words[-1]+=$word; glue=""
    else words+=("$word"); fi
  done
  current=\${words[-1]}
  if [[ $current == -*=* ]]; then
    if [[ $COMP_WORDBREAKS != *=* ]]; then kept=\${current%%=*}=; fi
    current=\${current#*=}
  fi
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    if [[ $value == :* ]]; then directive=\${value#:}; continue; fi
    if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then value=\${value#"\${current%"\${current##*:}"}"}; fi
    COMPREPLY+=("$kept$value")
  done < <(command proteus complete -- "\${words[@]}" 2>/dev/null)
  if ((directive & 4)); then compopt +o default 2>/dev/null; fi
  if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi
  return 0
}
complete -o default -F __proteus_complete proteus
`;
