//! Characters, creatures and what they wear and carry.

use super::Group;

pub(super) const ROBOTS: &[Group] = &[
    Group {
        looks: "rusty,chrome,matte black,battered yellow,sleek white,copper-plated,dented steel,glossy orange",
        objects: "service robot,butler robot,combat robot,robot bartender,repair robot,robot soldier,robot boxer,\
                  medical robot,welding robot,delivery robot",
        features: "with glowing blue eyes,with exposed wiring,with tank treads instead of legs,with four long arms,\
                   with oversized pincer hands,with round glass dome head,with riveted chest plates",
    },
    Group {
        looks: "brass,scratched green,polished titanium,red enamel,bulky gray,ceramic white,weathered bronze,neon purple",
        objects: "robot dog,robot spider,robot owl,robot beetle,robot crab,robot horse,robot tortoise,robot raven,\
                  robot scorpion,robot fox",
        features: "with segmented metal legs,with camera lens eyes,with visible gears and springs,\
                   with glowing seams between its panels,with folded solar panels on its back,with antenna ears,\
                   in crouched pose",
    },
];

pub(super) const ANIMALS: &[Group] = &[
    Group {
        looks: "fluffy white,sleepy brown,chubby,spotted,long-haired gray,young golden,old one-eyed,muscular black",
        objects: "cat,fox,bear cub,wolf,rabbit,sheepdog,leopard,raccoon,otter,red panda",
        features: "sitting on its hind legs,with bright amber eyes,curled up asleep,stretching its front paws,\
                   wearing knitted red scarf,with one raised paw,with fluffy tail",
    },
    Group {
        looks: "emerald green,bright orange,speckled,deep blue,yellow and black,pale pink,iridescent,warty brown",
        objects: "tree frog,chameleon,gecko,snapping turtle,iguana,salamander,horned lizard,tortoise,coiled python,\
                  baby crocodile",
        features: "with bulging eyes,with open mouth,with textured scales,with patterned back,with curled tail,\
                   looking over its shoulder,with glossy wet skin",
    },
    Group {
        looks: "snowy white,scarlet,glossy black,mottled brown,turquoise,golden,gray-crested,plump",
        objects: "owl,parrot,eagle,raven,peacock,pelican,heron,rooster,falcon,toucan",
        features: "with spread wings,perched on broken branch,with long curved beak,with ruffled feathers,\
                   standing on one leg,with fanned tail feathers,tucking its head under one wing",
    },
];

pub(super) const FANTASY: &[Group] = &[
    Group {
        looks: "elderly,young,hooded,scarred,silver-haired,weather-beaten,pale,stern",
        objects: "elf archer,wizard,dwarf blacksmith,elf ranger,half-orc barbarian,sorceress,paladin,druid,\
                  gnome alchemist,halfling thief",
        features: "in embroidered green cloak,with glowing wooden staff,holding rolled parchment,\
                   with leather pouches on wide belt,in fur-trimmed robe,with braided hair and gold earrings,\
                   kneeling on one knee",
    },
    Group {
        looks: "tiny winged,blue-skinned,horned,moss-covered,crowned,laughing,freckled,barefoot",
        objects: "fairy,imp,goblin merchant,satyr,tree spirit,gnome,pixie queen,leprechaun,brownie,faun",
        features: "sitting on red toadstool,with translucent wings,wearing acorn cap,playing wooden flute,\
                   carrying oversized lantern,with pointed ears and wide grin,in patchwork leaf tunic",
    },
];

pub(super) const SCIENCE_FICTION: &[Group] = &[
    Group {
        looks: "grizzled,cybernetic,tall slender,masked,battle-worn,bald,neon-haired,armored",
        objects: "bounty hunter,starship captain,space marine,android detective,alien diplomat,rogue hacker,\
                  asteroid miner,cyborg medic,smuggler pilot,planetary scout",
        features: "with glowing visor,with robotic left arm,in scuffed orange flight suit,holding plasma rifle,\
                   with breathing tubes on helmet,with holographic wrist display,in long reflective coat",
    },
    Group {
        looks: "four-armed,gray-skinned,insectoid,reptilian,translucent,bioluminescent,feathered,one-eyed",
        objects: "alien warrior,alien scientist,alien trader,alien child,alien monk,alien musician,alien chef,\
                  alien ambassador,alien mechanic,alien hunter",
        features: "with elongated skull,wearing ribbed metal collar,with tentacles instead of hair,\
                   holding glowing crystal tablet,in layered ceremonial robes,with long webbed fingers,\
                   sitting cross-legged",
    },
];

pub(super) const MONSTERS: &[Group] = &[
    Group {
        looks: "crimson,ancient black,ice-blue,golden,bone-white,emerald,ash-gray,two-headed",
        objects: "dragon,wyvern,hydra,basilisk,griffin,feathered serpent,phoenix,chimera,manticore,cockatrice",
        features: "with spread wings,coiled around broken column,with curved horns and spikes,\
                   breathing swirling flames,with glowing chest markings,guarding speckled eggs,with barbed tail raised high",
    },
    Group {
        looks: "hulking,furry purple,slimy green,skeletal,stone-skinned,one-eyed,fanged,hunchbacked",
        objects: "troll,ogre,bog monster,werewolf,ghoul,yeti,minotaur,cyclops,gargoyle,demon",
        features: "with massive curved tusks,dragging spiked club,with chains around its wrists,with glowing red eyes,\
                   with tattered loincloth and bone necklace,roaring with raised fists,with mushrooms growing on its back",
    },
];

pub(super) const ACCESSORIES: &[Group] = &[
    Group {
        looks: "brown leather,quilted black,canvas,woven straw,burgundy suede,cream,crocodile-textured,embroidered",
        objects: "handbag,backpack,satchel,messenger bag,clutch purse,duffel bag,tote bag,belt pouch,briefcase,wallet",
        features: "with brass buckles,with gold chain strap,with tassel zippers,with floral stitching,\
                   with two front pockets,with worn corners,with tortoiseshell clasp",
    },
    Group {
        looks: "vintage,oversized,slim gold,matte black,tortoiseshell,rose-tinted,silver,hand-carved",
        objects: "sunglasses,pocket watch,wristwatch,monocle,hair comb,reading glasses,hairpin,cufflinks,opera glasses,\
                  belt buckle",
        features: "with engraved ivy pattern,with mother-of-pearl inlay,with fine chain attached,with tiny blue gemstones,\
                   with scratched metal finish,in velvet-lined case,with art deco lines",
    },
];

pub(super) const ARMOR: &[Group] = &[
    Group {
        looks: "polished steel,blackened iron,gilded,dented bronze,rune-etched,battle-scarred,dark green leather,silver",
        objects: "knight helmet,breastplate,gauntlets,pauldrons,greaves,samurai helmet,viking helmet,plate armor,\
                  scale mail vest,horned helmet",
        features: "with leather lining,with embossed lion crest,with riveted edges,with leather straps and buckles,\
                   with engraved floral border,with chainmail lining,with deep sword scratches",
    },
    Group {
        looks: "round wooden,heavy iron,tall bronze,cracked,crimson,dragon-scale,moonlit silver,studded oak",
        objects: "viking shield,tower shield,buckler,kite shield,crusader shield,roman shield,spartan shield,\
                  heater shield,dueling shield,parade shield",
        features: "with central spiked boss,with painted wolf emblem,with embedded broken arrow,\
                   with worn leather grip,with interlaced knot pattern,with golden eagle relief,with splintered lower edge",
    },
];

pub(super) const CLOTHING: &[Group] = &[
    Group {
        looks: "dark denim,red plaid,black leather,cream wool,patched olive,mustard yellow,navy blue,embroidered silk",
        objects: "jacket,trench coat,waistcoat,hooded cloak,bomber jacket,kimono,parka,cardigan,poncho,tailcoat",
        features: "with brass buttons,with fur-lined collar,with rolled-up sleeves,with large front pockets,\
                   with frayed hem,with dragon embroidery on its back,with wide leather belt",
    },
    Group {
        looks: "worn brown,glossy black,bright red,studded,beige suede,silver,checkered,mud-stained",
        objects: "cowboy boots,hiking boots,sneakers,ballet shoes,sandals,roller skates,clogs,rubber boots,slippers,\
                  platform shoes",
        features: "with untied laces,with thick rubber soles,with golden buckles,with floral stitching,\
                   with scuffed toes,with pointed tips,with fluffy wool lining",
    },
];

pub(super) const JEWELRY: &[Group] = &[
    Group {
        looks: "gold,silver,rose gold,platinum,oxidized copper,twisted bronze,white gold,hammered brass",
        objects: "engagement ring,signet ring,bracelet,brooch,tiara,pendant necklace,ankle bracelet,crown,choker,\
                  hoop earrings",
        features: "with teardrop sapphire,with coiled serpent motif,with tiny diamond clusters,with square-cut emerald,\
                   with delicate filigree leaves,with ruby eyes,with pearl drops",
    },
    Group {
        looks: "antique,delicate,chunky,art nouveau,egyptian,celtic,victorian,handmade",
        objects: "amber pendant,jade bangle,opal brooch,turquoise necklace,amethyst ring,garnet earrings,ivory cameo,\
                  moonstone locket,coral bracelet,onyx cufflinks",
        features: "in ornate silver setting,with braided leather cord,with engraved initials,with dragonfly motif,\
                   with interlocking gold links,with scalloped edges,with hidden keepsake compartment",
    },
];
