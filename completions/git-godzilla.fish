# fish completion of git-godzilla, also as `git godzilla`; written by `git godzilla completions fish`.
#
# It belongs into a `conf.d` folder of fish: one in `completions` is not read for `git godzilla`.

function __git_godzilla_complete --description 'What fits, as git-godzilla says it'
    set -l typed (commandline -opc)
    set -l last (commandline -ct)
    set -l before
    # What git takes for itself comes before our name.
    while set -q typed[1]; and not string match -qr '(^|/)(git-)?godzilla$' -- $typed[1]
        contains -- $typed[1] -C; and set before $before -C $typed[2]
        string match -q -- '--git-dir=*' $typed[1]; and set before $before $typed[1]
        set -e typed[1]
    end
    set -e typed[1]
    set -l value_of (string match -r -- '^--[^=]*=' $last)
    for line in (command git-godzilla __complete -- $before $typed $last 2>/dev/null)
        switch $line
            case :none
            case :paths
                __fish_complete_path (string replace -- "$value_of" '' $last) | string replace -r '^' -- "$value_of"
            case :folders
                __fish_complete_directories (string replace -- "$value_of" '' $last) | string replace -r '^' -- "$value_of"
            case '*'
                echo $line
        end
    end
end

complete -c git-godzilla -f -k -a '(__git_godzilla_complete)'
complete -c git -n __fish_git_needs_command -a godzilla -d 'Ship work in parallel streams'
complete -c git -n '__fish_git_using_command godzilla' -f -k -a '(__git_godzilla_complete)'
